package revocation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/revocation"
)

// A probe says of what a location has all that a Fetcher would, and when it ends.
func TestAProbeHoldsAnAnswerToAllThatAFetcherDoes(t *testing.T) {
	t.Parallel()
	ca, other, now := newCA(t, "CA"), newCA(t, "CA"), time.Now().Truncate(time.Second)
	good := from(list{by: ca}, now.Add(-time.Hour), 2*time.Hour)
	ended := from(list{by: ca}, now.Add(-2*time.Hour), time.Hour)
	for sentence, c := range map[string]struct {
		location revocation.Location
		der      []byte
		fails    error
		want     string // the class, or none
		end      time.Time
	}{
		"good":                    {crlAt("http://ca.example/crl", ca)[0], good.der(t), nil, "", now.Add(time.Hour)},
		"ended":                   {crlAt("http://ca.example/crl", ca)[0], ended.der(t), nil, "stale", now.Add(-time.Hour)},
		"another's":               {crlAt("http://ca.example/crl", other)[0], good.der(t), nil, "unsigned", time.Time{}},
		"no list":                 {crlAt("http://ca.example/crl", ca)[0], []byte("x"), nil, "malformed", time.Time{}},
		"nothing":                 {crlAt("http://ca.example/crl", ca)[0], nil, errors.New("no route"), "unreachable", time.Time{}},
		"a location of no CA":     {revocation.Location{URL: "http://ca.example/crl"}, good.der(t), nil, "forbidden", time.Time{}},
		"a location that is LDAP": {crlAt("ldap://ca.example/crl", ca)[0], good.der(t), nil, "forbidden", time.Time{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			backend := &site{}
			backend.says(c.der, c.fails)
			state, err := c.location.Probe(context.Background(), backend, now)
			got := ""
			if err != nil {
				got = revocation.ClassOf(err).String()
			}
			if got != c.want || !state.NextUpdate.Equal(c.end) || state.Name != c.location.Name() {
				t.Errorf("%q, ends at %s: %v", got, state.NextUpdate, err)
			}
		})
	}
}
