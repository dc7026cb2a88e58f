package policies_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/truststore"
)

const many = 100_000

// pinnedClients makes count records that each pin one certificate. Making so
// many certificates would take longer than what is measured, so each is the
// one certificate with other bytes of its signature: a pin does not look at it.
func pinnedClients(b *testing.B, count int) []*policies.Client {
	b.Helper()
	der := selfSigned(b, leaf("client")).Certificate.Raw
	out := make([]*policies.Client, count)
	for i := range out {
		unique := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		copy(der[len(der)-20:], unique[:])
		out[i] = client(b, fmt.Sprint("client-", i), fields{"certificateTrustStore": certificatePEM(der)})
	}
	return out
}

func snapshotWith(b *testing.B, all []*policies.Client) *policies.Snapshot {
	b.Helper()
	builder := policies.Empty(policies.Options{}).Edit()
	for _, c := range all {
		builder.Put(c)
	}
	return builder.Snapshot()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkSnapshotManyPins(b *testing.B) {
	for b.Loop() {
		before := heap()
		s := snapshotWith(b, pinnedClients(b, many))
		b.ReportMetric(float64(heap()-before)/many, "B/client")
		runtime.KeepAlive(s)
	}
}

func BenchmarkPutOne(b *testing.B) {
	all := pinnedClients(b, many+1)
	s := snapshotWith(b, all[:many])
	for b.Loop() {
		builder := s.Edit()
		builder.Put(all[many])
		_ = builder.Snapshot()
	}
}

// asked is a caller among many clients.
func asked(b *testing.B) (s *policies.Snapshot, pinned, issued *testca.Issued) {
	b.Helper()
	root := selfSigned(b, ca("root"))
	pinned, issued = selfSigned(b, leaf("pinned")), issue(b, root, leaf("issued"))
	all := append(pinnedClients(b, 1000),
		client(b, "p", fields{"certificateTrustStore": store(pinned)}),
		client(b, "c", fields{"certificateTrustStore": store(root)}))
	return snapshotWith(b, all), pinned, issued
}

func BenchmarkResolvePin(b *testing.B) {
	s, pinned, _ := asked(b)
	chain := chainOf(pinned)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Resolve(chain, policies.Hint{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolveChain(b *testing.B) {
	s, _, issued := asked(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Resolve(chainOf(issued), policies.Hint{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudgeChain(b *testing.B) {
	s, _, issued := asked(b)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Client("c").Judge(s, chainOf(issued), nil, now, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolveAndJudgeChain(b *testing.B) {
	s, _, issued := asked(b)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if got := decide(s, truststore.NewChain(issued.Certificate, nil), policies.Hint{}, now); !strings.HasSuffix(got, "by chain") {
			b.Fatal(got)
		}
	}
}

// The common case: a leaf, the intermediate presented, the CA stored.
func BenchmarkResolveAndJudgeIntermediate(b *testing.B) {
	root := selfSigned(b, ca("root"))
	inter := issue(b, root, ca("inter"))
	issued := issue(b, inter, leaf("issued"))
	s := snapshotWith(b, append(pinnedClients(b, 1000), client(b, "c", fields{"certificateTrustStore": store(root)})))
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if got := decide(s, chainOf(issued, inter), policies.Hint{}, now); !strings.HasSuffix(got, "by chain") {
			b.Fatal(got)
		}
	}
}
