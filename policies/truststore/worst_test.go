package truststore_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// worst are the inputs that cost most, as far as we found: what may be presented
// is ten certificates, and more are judged here.
func worst(b testing.TB) map[string]func() {
	judge := func(anchors []*truststore.Anchor, leaf *testca.Issued, presented ...*testca.Issued) func() {
		return func() { _, _ = truststore.Verify(chainOf(leaf, presented...), anchors, time.Now()) }
	}
	forged := func(kind testca.KeyKind, count int) func() {
		root := selfSigned(b, testca.Template{CommonName: "root", CA: true, Key: newKey(b, kind)})
		impostor := selfSigned(b, testca.Template{CommonName: "root", CA: true, Key: newKey(b, kind)})
		var junk []*testca.Issued
		for range count {
			junk = append(junk, issue(b, impostor, ca("inter")))
		}
		return judge(anchorsOf(b, root), issue(b, junk[0], testca.Template{CommonName: "leaf"}), junk...)
	}
	var trees [][]byte
	var names []string
	for i := range 2000 {
		trees = append(trees, dns(fmt.Sprintf("h%d.a.example", i)))
	}
	for i := range 256 {
		names = append(names, fmt.Sprintf("h%d.b.example", i))
	}
	constrained, anchors := three{inter: under("inter", excludes(trees...)), leaf: host(names...)}.path(b)
	long := strings.Repeat("É", 1000)
	root := selfSigned(b, testca.Template{CommonName: long, CA: true})
	var wide []*testca.Issued
	for i := range 9 {
		wide = append(wide, issue(b, root, testca.Template{CommonName: long, Organization: fmt.Sprint(i), CA: true}))
	}
	nowhere := issue(b, selfSigned(b, testca.Template{CommonName: strings.ToLower(long), Organization: "x", CA: true}), testca.Template{CommonName: long})
	return map[string]func(){
		"forged on P-256":    forged(testca.P256, 60),
		"forged on P-384":    forged(testca.P384, 60),
		"forged on P-521":    forged(testca.P521, 60),
		"forged on RSA 2048": forged(testca.RSA2048, 60),
		"many names and constraints": func() {
			_, _ = truststore.Verify(truststore.NewChain(constrained.Leaf, constrained.Intermediates), anchors, time.Now())
		},
		"a ring of CAs":                   ring(b),
		"long names that have to be read": judge(anchorsOf(b, root), nowhere, wide...),
	}
}

// ring is of five CAs that have all signed each other, none of which signed the leaf.
func ring(b testing.TB) func() {
	root := selfSigned(b, ca("root"))
	var cas []*testca.Issued
	for i := range 5 {
		cas = append(cas, issue(b, root, ca(fmt.Sprint("ring ", i))))
	}
	presented := slices.Clone(cas)
	for _, by := range cas {
		for _, of := range cas {
			if by != of {
				presented = append(presented, issue(b, by, testca.Template{CommonName: of.Certificate.Subject.CommonName, CA: true, Key: of.Key}))
			}
		}
	}
	leaf := issue(b, selfSigned(b, ca("ring 0")), testca.Template{CommonName: "leaf"})
	anchors := anchorsOf(b, root)
	return func() { _, _ = truststore.Verify(chainOf(leaf, presented...), anchors, time.Now()) }
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkWorst shows what a decision costs at most, in CPU time: 10 ms is the
// goal.
func BenchmarkWorst(b *testing.B) {
	for name, decide := range worst(b) {
		b.Run(name, func(b *testing.B) {
			before := cpu()
			for b.Loop() {
				decide()
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// Without the bounds each of these would take seconds; the goal of 10 ms is the
// benchmark's, for a machine under load takes its time.
func TestTheWorstInputsAreBounded(t *testing.T) {
	for name, decide := range worst(t) {
		before := cpu()
		decide()
		if took := cpu() - before; took > 500*time.Millisecond {
			t.Errorf("%s took %s of CPU", name, took)
		}
	}
}

func TestDearSignaturesCountForMore(t *testing.T) {
	for kind, c := range map[testca.KeyKind]struct{ most int }{testca.P384: {10}, testca.P521: {4}} {
		var others []*testca.Issued
		for range c.most {
			others = append(others, selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)}))
		}
		root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)})
		leaf := issue(t, root, testca.Template{CommonName: "leaf"})
		if _, err := truststore.Verify(chainOf(leaf), anchorsOf(t, append(others[1:], root)...), time.Now()); err != nil {
			t.Errorf("the last of %d on %v: %v", c.most, kind, err)
		}
		if _, err := truststore.Verify(chainOf(leaf), anchorsOf(t, append(others, root)...), time.Now()); reasonText(err) != "path_too_complex" {
			t.Errorf("one more on %v: %v", kind, err)
		}
	}
}
