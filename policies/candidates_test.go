package policies_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

func TestTheClientsThatACertificateCameNear(t *testing.T) {
	root, other := selfSigned(t, ca("Root")), selfSigned(t, ca("Root"))
	issuing := issue(t, root, ca("Issuing"))
	named := testca.Template{CommonName: "claims", DNSNames: []string{"claims.example"}}
	direct, below := issue(t, root, named), issue(t, issuing, named)
	pinned, stranger := selfSigned(t, leaf("lab")), selfSigned(t, leaf("stranger"))
	bound := func(to string) fields {
		return fields{"certificateTrustStore": store(root), "tlsClientAuth": map[string]any{"sanDns": to}}
	}
	unbound := fields{"certificateTrustStore": store(root)}
	for name, test := range map[string]struct {
		clients clients
		options policies.Options
		of      *testca.Issued
		with    []*testca.Issued
		named   string
		want    []policies.Candidate
	}{
		"a stranger":                      {clients: clients{"a": unbound}, of: stranger, want: []policies.Candidate{}},
		"one that pins it, and is off":    {clients: clients{"lab": {"certificateTrustStore": store(pinned), "status": "off"}}, of: pinned, want: []policies.Candidate{{"lab", "it pins the certificate; its status is off"}}},
		"two that pin it":                 {clients: clients{"a": {"certificateTrustStore": store(pinned)}, "b": {"certificateTrustStore": store(pinned)}}, of: pinned, want: []policies.Candidate{{"a", "it pins the certificate"}, {"b", "it pins the certificate"}}},
		"one that is named":               {clients: clients{"a": unbound}, of: stranger, named: "a", want: []policies.Candidate{{"a", "the request or its route names it"}}},
		"one that is named and is not":    {clients: clients{"a": unbound}, of: stranger, named: "b", want: []policies.Candidate{}},
		"one that is bound to another":    {clients: clients{"a": bound("old.example")}, of: direct, want: []policies.Candidate{{"a", "its CA issued the certificate, and it is bound to sanDns old.example"}}},
		"by an intermediate":              {clients: clients{"a": bound("old.example")}, of: below, with: []*testca.Issued{issuing}, want: []policies.Candidate{{"a", "its CA issued the certificate, and it is bound to sanDns old.example"}}},
		"the one bound to it comes first": {clients: clients{"a": bound("old.example"), "b": bound("claims.example")}, of: direct, want: []policies.Candidate{{"b", "its CA issued the certificate, which has the subject that it is bound to"}, {"a", "its CA issued the certificate, and it is bound to sanDns old.example"}}},
		"those that share a CA":           {clients: clients{"a": unbound, "b": unbound}, of: direct, want: []policies.Candidate{{"a", "its CA issued the certificate, others trust that CA too, and it has neither tlsClientAuth nor spiffe"}, {"b", "its CA issued the certificate, others trust that CA too, and it has neither tlsClientAuth nor spiffe"}}},
		"one that the profile keeps out":  {clients: clients{"a": unbound}, options: policies.Options{RequireBinding: true}, of: direct, want: []policies.Candidate{{"a", "its CA issued the certificate, and it has neither tlsClientAuth nor spiffe, one of which the profile demands"}}},
		"a CA of the name, another key":   {clients: clients{"a": {"certificateTrustStore": store(other)}}, of: direct, want: []policies.Candidate{{"a", "it trusts a CA with the name of the issuer, and another key"}}},
		"an intermediate that is missing": {clients: clients{"a": unbound}, of: below, want: []policies.Candidate{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, test.options, test.clients, inOrder(test.clients))
			if diff := cmp.Diff(test.want, s.Candidates(chainOf(test.of, test.with...), test.named)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNoMoreClientsAreNamedThanFive(t *testing.T) {
	root := selfSigned(t, ca("Root"))
	builder := policies.Empty(policies.Options{}).Edit()
	for i := range 20 {
		builder.Put(client(t, fmt.Sprint("c", i), fields{"certificateTrustStore": store(root), "tlsClientAuth": map[string]any{"sanDns": fmt.Sprint("c", i, ".example")}}))
	}
	chain := chainOf(issue(t, root, leaf("stranger")))
	if got := builder.Snapshot().Candidates(chain, ""); len(got) != policies.MaxCandidates {
		t.Errorf("%d candidates", len(got))
	}
	builder = builder.Snapshot().Edit()
	for i := range 19 {
		builder.Remove(fmt.Sprint("c", i))
	}
	for _, candidate := range builder.Snapshot().Candidates(chain, "") {
		if candidate.ID != "c19" {
			t.Errorf("%v is gone", candidate)
		}
	}
}
