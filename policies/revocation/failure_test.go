package revocation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// overdue is a Backend whose answer does not come in time.
type overdue struct{}

func (overdue) Fetch(context.Context, revocation.Query) ([]byte, error) {
	return nil, context.DeadlineExceeded
}

func TestEachFailureHasItsClass(t *testing.T) {
	ca, other := newCA(t, "CA"), newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	good := list{by: ca, this: time.Now(), next: time.Now().Add(time.Hour)}
	large := good
	for range 100 {
		large.entries = append(large.entries, revoking(leaf))
	}
	web := func(status int, body []byte) func(*testing.T) (revocation.Backend, string) {
		return func(t *testing.T) (revocation.Backend, string) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); w.Write(body) })
			return loopback(t, server), server.URL + "/ca.crl?token=SECRET"
		}
	}
	nobody := func(t *testing.T, allowed bool) (revocation.Backend, string) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		if allowed {
			return loopback(t, server), server.URL + "/?token=SECRET"
		}
		return revocation.NewWeb([]revocation.Allowed{{Prefix: netip.MustParsePrefix("127.0.0.2/32")}}), server.URL + "/?token=SECRET"
	}
	for sentence, c := range map[string]struct {
		from  func(*testing.T) (revocation.Backend, string)
		quota int64
		ocsp  bool
		want  string
	}{
		"nothing is wrong":              {from: web(200, good.der(t)), want: ""},
		"nobody listens":                {from: func(t *testing.T) (revocation.Backend, string) { return nobody(t, true) }, want: "unreachable"},
		"the address is not public":     {from: func(t *testing.T) (revocation.Backend, string) { return nobody(t, false) }, want: "forbidden"},
		"no answer":                     {from: func(*testing.T) (revocation.Backend, string) { return overdue{}, crlURL }, want: "timed_out"},
		"no such page":                  {from: web(404, nil), want: "declined"},
		"an error of an OCSP responder": {from: web(200, []byte{0x30, 3, 0x0a, 1, 3}), ocsp: true, want: "declined"},
		"an answer of an OCSP responder that is too large": {from: web(200, make([]byte, revocation.MaxAnswerBytes+1)), ocsp: true, want: "too_large"},
		"a page of HTML":                       {from: web(200, []byte("<html>")), want: "malformed"},
		"HTML of an OCSP responder":            {from: web(200, []byte("<html>")), ocsp: true, want: "malformed"},
		"a namesake's list":                    {from: web(200, list{by: other, this: time.Now(), next: time.Now().Add(time.Hour)}.der(t)), want: "unsigned"},
		"a list that has ended":                {from: web(200, list{by: ca, this: time.Now().Add(-2 * time.Hour), next: time.Now().Add(-time.Hour)}.der(t)), want: "stale"},
		"a list of tomorrow":                   {from: web(200, list{by: ca, this: time.Now().Add(24 * time.Hour), next: time.Now().Add(25 * time.Hour)}.der(t)), want: "stale"},
		"a list larger than there is room for": {from: web(200, large.der(t)), quota: 1000, want: "over_quota"},
	} {
		t.Run(sentence, func(t *testing.T) {
			backend, url := c.from(t)
			tried := make(chan error, 100)
			f := newFetcher(t, revocation.Options{Backend: backend, Publish: func(*revocation.View) {}, Quota: c.quota,
				Tried: func(l revocation.Location, err error) {
					if strings.Contains(l.Name(), "SECRET") {
						t.Errorf("the name of the location is %s", l.Name())
					}
					tried <- err
				}})
			defer run(t, f)()
			location := crlAt(url, ca)
			if c.ocsp {
				location[0].Certificate = leaf.Certificate
			}
			want(t, f, "client", location)
			err := <-tried
			got := ""
			if err != nil {
				got = revocation.ClassOf(err).String()
				if strings.Contains(err.Error(), "SECRET") {
					t.Errorf("the error has the location's query: %v", err)
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q: %v", got, c.want, err)
			}
		})
	}
}
