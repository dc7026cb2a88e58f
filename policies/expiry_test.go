package policies_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

var expiryDay = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// endingIn is a pin that ends so many days after expiryDay; a CA too.
func endingIn(t *testing.T, days int) *testca.Issued {
	t.Helper()
	return selfSigned(t, testca.Template{CommonName: "pin", NotBefore: expiryDay.AddDate(-1, 0, 0), NotAfter: expiryDay.AddDate(0, 0, days)})
}

func caEndingIn(t *testing.T, days int) *testca.Issued {
	t.Helper()
	return selfSigned(t, testca.Template{CommonName: fmt.Sprint("ca ", days), CA: true, NotBefore: expiryDay.AddDate(-1, 0, 0), NotAfter: expiryDay.AddDate(0, 0, days)})
}

// shown is "client kind days" of each.
func shown(all []policies.Expiry) []string {
	var out []string
	for _, e := range all {
		out = append(out, fmt.Sprintf("%s %s %d", e.Client, e.Kind, int(e.End.Sub(expiryDay)/(24*time.Hour))))
	}
	return out
}

func TestExpiries(t *testing.T) {
	const caOnly = "tls_client_auth"
	bound := fields{"sanDns": "a.example"}
	shared := caEndingIn(t, 40)
	chained := func(more ...*testca.Issued) fields {
		return fields{"certificateTrustStore": store(more...), "tokenEndpointAuthMethod": caOnly, "tlsClientAuth": bound}
	}
	for sentence, test := range map[string]struct {
		clients     clients
		next, ended []string
	}{
		"nobody": {clients{}, nil, nil},
		"the soonest comes first": {clients{
			"a": {"certificateTrustStore": store(endingIn(t, 20))}, "b": {"certificateTrustStore": store(endingIn(t, 10))},
		}, []string{"b pin 10", "a pin 20"}, nil},
		"of a client's pins the one that ends next counts":    {clients{"a": {"certificateTrustStore": store(endingIn(t, 20), endingIn(t, 10), endingIn(t, 30))}}, []string{"a pin 10"}, nil},
		"one that has ended does not beside one that has not": {clients{"a": {"certificateTrustStore": store(endingIn(t, -1), endingIn(t, 10), endingIn(t, -5))}}, []string{"a pin 10"}, nil},
		"of those that have all ended, the last":              {clients{"a": {"certificateTrustStore": store(endingIn(t, -9), endingIn(t, -1), endingIn(t, -5))}}, nil, []string{"a pin -1"}},
		"the latest of what has ended comes first": {clients{
			"a": {"certificateTrustStore": store(endingIn(t, -20))}, "b": {"certificateTrustStore": store(endingIn(t, -10))},
		}, nil, []string{"b pin -10", "a pin -20"}},
		"a certificate of both kinds is there twice":    {clients{"a": {"certificateTrustStore": store(caEndingIn(t, 5))}}, []string{"a pin 5", "a anchor 5"}, nil},
		"a CA that several clients trust is there once": {clients{"b": chained(shared), "a": chained(shared), "c": chained(shared)}, []string{"a anchor 40"}, nil},
		"but as that of each client that it cuts off":   {clients{"a": chained(shared, caEndingIn(t, 3)), "b": chained(shared)}, []string{"a anchor 3", "b anchor 40"}, nil},
		"who is off is not":                             {clients{"a": {"status": "off", "certificateTrustStore": store(endingIn(t, 3))}}, nil, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := snapshotOf(t, test.clients).Expiries(expiryDay)
			if diff := cmp.Diff(test.next, shown(got.Next)); diff != "" {
				t.Errorf("next (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(test.ended, shown(got.Ended)); diff != "" {
				t.Errorf("ended (-want +got)\n%s", diff)
			}
		})
	}
}

// What is not named is counted.
func TestExpiriesAreBoundedAndCountedWhole(t *testing.T) {
	all, bound := clients{}, fields{"sanDns": "a.example"}
	shared := caEndingIn(t, 29)
	for i := range policies.MaxExpiring + 10 {
		all[fmt.Sprintf("next-%03d", i)] = fields{"certificateTrustStore": store(endingIn(t, 1+i), shared), "tlsClientAuth": bound}
	}
	for i := range policies.MaxEnded + 10 {
		all[fmt.Sprintf("ended-%03d", i)] = fields{"certificateTrustStore": store(endingIn(t, -1-i))}
	}
	got := snapshotOf(t, all).Expiries(expiryDay)
	if len(got.Next) != policies.MaxExpiring || len(got.Ended) != policies.MaxEnded {
		t.Errorf("%d and %d are named", len(got.Next), len(got.Ended))
	}
	if !slices.IsSortedFunc(got.Next, func(a, b policies.Expiry) int { return a.End.Compare(b.End) }) || got.Next[0].Client != "next-000" || got.Ended[0].Client != "ended-000" {
		t.Errorf("the first are %v and %v", got.Next[0], got.Ended[0])
	}
	// The shared CA is a pin too, of each client that has it.
	n := policies.MaxExpiring + 10
	want := [2][5]int{{policies.MaxEnded + 10, 6, 23 + n, n - 29, 0}, {0, 0, 1, 0, 0}}
	if got.Counts != want {
		t.Errorf("counted %v, want %v", got.Counts, want)
	}
}

// The year 2106 and what is later are the last that a record tells apart.
func TestACertificateWithoutAnEndIsLate(t *testing.T) {
	forever := selfSigned(t, testca.Template{CommonName: "a", NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)})
	got := snapshotOf(t, clients{"a": {"certificateTrustStore": store(forever)}}).Expiries(expiryDay)
	if got.Counts[policies.Pin][policies.Later] != 1 || got.Next[0].End.Year() != 2106 {
		t.Errorf("%+v", got)
	}
}

func BenchmarkExpiries(b *testing.B) {
	s := snapshotWith(b, pinnedClients(b, many))
	b.ReportAllocs()
	for b.Loop() {
		if got := s.Expiries(time.Now()); len(got.Next) != policies.MaxExpiring {
			b.Fatal(len(got.Next))
		}
	}
}
