package integration_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The reasons that let a request through.
const (
	allowed          = "allowed"
	allowedPublic    = "allowed_public"
	allowedPreflight = "allowed_preflight"
)

// want is what has to come of a request. The reason decides what the upstream
// must have received.
type want struct {
	status int
	reason string
	oauth  string // the error in the body
	client string // of the record and the token
	route  string // of the record, any where empty
}

// The refusals that nearly all tests expect.
func unauthenticated(reason string) want {
	return want{status: 401, reason: reason, oauth: "invalid_client"}
}

func admitted(client string) want { return want{status: 200, reason: allowed, client: client} }

// expect asks and checks status, what the upstream received, and the record.
func (g *gate) expect(t *testing.T, a ask, w want) (answer, record) {
	t.Helper()
	got := g.ask(t, a)
	return got, g.hold(t, a, w, got)
}

// hold is expect for an answer that has come already.
func (g *gate) hold(t *testing.T, a ask, w want, got answer) record {
	t.Helper()
	if got.status != w.status || got.oauth != w.oauth {
		t.Errorf("status %d with error %q, want %d with %q", got.status, got.oauth, w.status, w.oauth)
	}
	r := g.world.record(t, got.id)
	if r.Reason != w.reason || r.Client != w.client && w.client != "" || r.Route != w.route && w.route != "" {
		t.Errorf("the record is %+v, want %+v", r, w)
	}
	if a.as != nil && w.reason == allowed && r.Thumbprint != thumbprint(a.as) {
		t.Errorf("the record's thumbprint is %s, not that of the certificate", r.Thumbprint)
	}
	g.expectReceived(t, a, w, got, r)
	return r
}

func (g *gate) expectReceived(t *testing.T, a ask, w want, got answer, r record) {
	t.Helper()
	switch w.reason {
	case allowed:
		b := g.token(t, got)
		wanted := bearer{ClientID: w.client, Subject: w.client}
		wanted.CNF.Thumbprint = thumbprint(a.as)
		if diff := cmp.Diff([]any{wanted.ClientID, wanted.Subject, wanted.CNF, r.TokenID}, []any{b.ClientID, b.Subject, b.CNF, b.ID}); diff != "" {
			t.Errorf("client, subject, cnf and jti of the token (-want +got):\n%s", diff)
		}
	case allowedPublic, allowedPreflight:
		if len(got.received) != 1 || len(got.received[0].Header["Authorization"]) > 0 {
			t.Errorf("the upstream received %+v, want one request without Authorization", got.received)
		}
	default:
		if len(got.received) > 0 {
			t.Errorf("the upstream received %+v of a request that was refused", got.received)
		}
	}
}

// token returns the token of the one request that the upstream received.
func (g *gate) token(t *testing.T, a answer) bearer {
	t.Helper()
	if len(a.received) != 1 {
		t.Fatalf("the upstream received %d requests", len(a.received))
	}
	b, err := g.keys.verify(a.received[0].Header["Authorization"])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// thumbprint is x5t#S256 of the leaf (RFC 8705 section 3.1).
func thumbprint(certificate *tls.Certificate) string {
	sum := sha256.Sum256(certificate.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
