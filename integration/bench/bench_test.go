package bench_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// rounds of each server. The checks of a round are so many that the kernel's
// unit of 10 ms is within a few hundredths of what it is to measure.
const rounds = 5

// BenchmarkCheckBesideDoNothing asserts no figure. It fails if an answer is
// another than the expected one.
func BenchmarkCheckBesideDoNothing(b *testing.B) {
	if _, err := cpuTime(1); err != nil {
		b.Skipf("the CPU time of another process cannot be read here (Linux has it in /proc): %v", err)
	}
	pki := newPKI(b)
	folder := shortFolder(b)
	certbearer := connect(b, startCertbearer(b, folder, pki))
	donothing := connect(b, startDoNothing(b, folder))
	var table strings.Builder
	fmt.Fprintf(&table, "server CPU per check, median of %d rounds, %d callers on %d connections of a Unix socket\n",
		rounds, callers, connections)
	fmt.Fprintf(&table, "%-56s %8s %12s %12s %6s\n", "", "request", "certbearer", "do-nothing", "ratio")
	for _, c := range []struct {
		name    string
		request *authv3.CheckRequest
		want    codes.Code
		checks  int // of a round
	}{
		{"a pinned client again", requestOf(pki.pinned), codes.OK, 8_000},
		{"a client known by its CA again, an intermediate between", requestOf(pki.issued, pki.intermediate), codes.OK, 3_000},
		{"a stranger, denied", requestOf(pki.stranger), codes.Unauthenticated, 8_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			var ours, theirs []time.Duration
			for b.Loop() {
				ours, theirs = compare(b, load{certbearer, c.request, c.want}, load{donothing, c.request, codes.OK}, c.checks)
			}
			our, their := median(ours), median(theirs)
			ratio := float64(our) / float64(their)
			b.ReportMetric(0, "ns/op") // the time of a whole run says nothing
			b.ReportMetric(microseconds(our), "certbearer-µs-cpu/check")
			b.ReportMetric(microseconds(their), "donothing-µs-cpu/check")
			b.ReportMetric(ratio, "ratio")
			fmt.Fprintf(&table, "%-56s %6d B %9.1f µs %9.1f µs %6.2f\n", c.name, proto.Size(c.request), microseconds(our), microseconds(their), ratio)
		})
	}
	fmt.Print(table.String()) // the log of a benchmark that has others within is not shown
}

// compare drives both servers in turns and returns the CPU time of a check in
// each round.
func compare(b *testing.B, ours, theirs load, checks int) (our, their []time.Duration) {
	b.Helper()
	const warmUp = 4 // this part of a round
	ours.drive(b, checks/warmUp)
	theirs.drive(b, checks/warmUp)
	for range rounds {
		our = append(our, ours.drive(b, checks))
		their = append(their, theirs.drive(b, checks))
	}
	return our, their
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
