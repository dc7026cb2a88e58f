package integration_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// explained is what `explain` says of a recorded request.
type explained struct {
	Recorded struct{ Decision, Reason string } `json:"recorded"`
	Now      struct {
		Allowed bool
		Reason  string
		Client  string
	} `json:"now"`
	Same  bool     `json:"same"`
	Facts []string `json:"facts"`
}

// explain has the records of a request id explained, and returns what is said of each.
func (w *world) explain(t *testing.T, id string, flags ...string) []explained {
	t.Helper()
	args := append([]string{"explain", "--config", w.config, "--audit", filepath.Join(w.folder, "audit.jsonl"), "--request-id", id, "--json"}, flags...)
	code, printed := certbearer(t, args...)
	var all []explained
	if err := json.Unmarshal([]byte(printed), &all); err != nil || len(all) == 0 {
		t.Fatalf("explain ended with %d: %v in %s", code, err, printed)
	}
	want := 1
	if last := all[len(all)-1]; last.Now.Allowed && last.Recorded.Decision == "allow" {
		want = 0
	}
	if code != want {
		t.Errorf("explain ended with %d, want %d", code, want)
	}
	return all
}

// expectExplained holds that the record of a request alone leads to the reason it has.
func (w *world) expectExplained(t *testing.T, r record) {
	t.Helper()
	all := w.explain(t, r.RequestID)
	if len(all) != 1 || !all[0].Same || all[0].Now.Reason != r.Reason || all[0].Now.Client != r.Client {
		t.Errorf("explained as %+v, recorded as %+v", all, r)
	}
}

// Of a request to an endpoint both records are explained: that of the check, and that of
// the endpoint, which is found wanting.
func TestARefusalOfTheTokenEndpointIsExplainedByItsRecords(t *testing.T) {
	realEnvoy(t)
	ca := authority(t, "Partner CA")
	issuing := issue(t, ca, testca.Template{CommonName: "Issuing", CA: true})
	leaf := issue(t, issuing, testca.Template{CommonName: "claims", DNSNames: []string{"claims.example"}})
	w := open(t, plan{clients: map[string]document{
		"claims": trusting(ca).with("tokenEndpointAuthMethod", "tls_client_auth").with("tlsClientAuth", map[string]any{"sanDns": "claims.example"}),
	}})
	g := w.envoy()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"claims"}}
	refused := g.site().post(t, posted{form: form, as: alone(leaf)})
	eventually(t, "both records are there", func() bool { return len(w.recordsOf(t, refused.id)) == 2 })
	all := w.explain(t, refused.id)
	if len(all) != 2 || all[0].Now.Reason != "allowed_endpoint" || !all[0].Same || all[1].Now.Reason != "path_not_found" || !all[1].Same {
		t.Fatalf("explained as %+v", all)
	}
	missing := `"CN=claims" was issued by "CN=Issuing", which is not among the 1 certificate presented, and no client has it`
	if !slices.ContainsFunc(all[1].Facts, func(fact string) bool { return strings.HasPrefix(fact, missing) }) {
		t.Errorf("the facts are %q", all[1].Facts)
	}
	given := g.site().post(t, posted{form: form, as: presents(leaf)})
	eventually(t, "both records are there", func() bool { return len(w.recordsOf(t, given.id)) == 2 })
	if all := w.explain(t, given.id, "--cert", writePEM(t, leaf, issuing)); given.status != 200 || len(all) != 2 || !all[1].Now.Allowed || all[1].Now.Client != "claims" {
		t.Errorf("status %d, explained as %+v", given.status, all)
	}
}

// writePEM writes what a caller presents into a file.
func writePEM(t *testing.T, certificates ...*testca.Issued) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "presented.pem")
	if err := os.WriteFile(path, []byte(storeOf(certificates...)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
