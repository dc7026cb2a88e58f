package revocation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// A decision holds one View while others are made from it.
func TestAViewStaysAsItWasMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Enough that old and new answers stand in the same parts of a View.
		const half = 300
		ca := newCA(t, "CA")
		var v views
		f := newFetcher(t, revocation.Options{Publish: v.publish, Backend: backend(func(_ context.Context, q revocation.Query) ([]byte, error) {
			return vouching(ca, q)
		})})
		defer run(t, f)()
		var leaves []*testca.Issued
		know := func() *revocation.View {
			t.Helper()
			for range half {
				leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
				leaves = append(leaves, leaf)
				l := revocation.Location{URL: "http://ca.example/ocsp", Issuers: path(ca), Certificate: leaf.Certificate}
				if err := f.Ask("client", l); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Await(t.Context(), "client"); err != nil {
				t.Fatal(err)
			}
			return v.now()
		}
		early, late := know(), know()
		for _, leaf := range leaves[:half] {
			f.Drop("client", revocation.Location{URL: "http://ca.example/ocsp", Issuers: path(ca), Certificate: leaf.Certificate})
		}
		f.Files(nil)
		views := map[string]*revocation.View{"before": early, "with all": late, "after": v.now()}
		for i, leaf := range leaves {
			old := i < half
			for name, known := range map[string]bool{"before": old, "with all": true, "after": !old} {
				want := "revocation_unavailable"
				if known {
					want = "good"
				}
				got := outcome(views[name].Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, time.Now()))
				if got != want {
					t.Fatalf("certificate %d by the View %s: %s, want %s", i, name, got, want)
				}
			}
		}
	})
}
