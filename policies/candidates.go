package policies

import (
	"crypto/x509"
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// MaxCandidates bounds the clients that are named as having come near.
const MaxCandidates = 5

// Candidate is a client that a refused certificate came near to, and how near.
type Candidate struct {
	ID string
	// Why says what leads to the client, and what does not. It has the client's
	// own tlsClientAuth, and is for the operator.
	Why string
}

// Candidates returns the clients that a refused certificate came near to, the
// nearest first, at most MaxCandidates: the one that was named, those that pin it,
// those whose CA issued it, those that trust a CA of its issuer's name. It is for
// records: nobody is let in by it. chain may be nil, for a request without a
// certificate. A chain that was resolved before knows its signatures already, and
// what a decision may spend on them holds for both.
func (s *Snapshot) Candidates(chain *truststore.Chain, named string) []Candidate {
	near := nearest{found: make([]Candidate, 0, MaxCandidates)}
	if c := s.Client(named); named != "" && c != nil {
		near.add(c, "the request or its route names it")
	}
	if chain == nil {
		return near.found
	}
	for _, c := range s.pinning(chain) {
		near.add(c, "it pins the certificate")
	}
	if near.full() {
		return near.found
	}
	proving, err := s.provingAuthorities(chain)
	if err == nil {
		near.addProven(s, chain.Leaf, proving)
	}
	near.addNamesakes(s, chain)
	return near.found
}

// nearest collects candidates.
type nearest struct{ found []Candidate }

func (n *nearest) full() bool { return len(n.found) == MaxCandidates }

func (n *nearest) add(c *Client, why string) {
	if n.full() || slices.ContainsFunc(n.found, func(other Candidate) bool { return other.ID == c.id }) {
		return
	}
	switch {
	case c.IsRemnant():
		why += "; its document has a fault"
	case c.status != StatusActive:
		why += "; its status is " + c.status.String()
	}
	n.found = append(n.found, Candidate{ID: c.id, Why: why})
}

// addProven adds the clients whose CAs issued the certificate: those that are bound to
// its subject before the others, of whom the index knows some.
func (n *nearest) addProven(s *Snapshot, leaf *x509.Certificate, proving []*authority) {
	subjects, _ := truststore.BindingKeys(leaf)
	for _, authority := range proving {
		for _, subject := range subjects {
			bound, _ := s.bound.get(boundKey(authority.id, subject))
			for _, c := range bound[:min(len(bound), MaxCandidates)] {
				n.add(c, "its CA issued the certificate, which has the subject that it is bound to")
			}
		}
	}
	for _, authority := range proving {
		for _, c := range authority.unbound[:min(len(authority.unbound), MaxCandidates)] {
			n.add(c, s.whyUnbound(authority))
		}
		for _, c := range authority.someBound {
			n.add(c, "its CA issued the certificate, and it is bound to "+c.Binding().Kind.String()+" "+c.Binding().Text)
		}
	}
}

func (s *Snapshot) whyUnbound(held *authority) string {
	switch {
	case s.requireBinding:
		return "its CA issued the certificate, and it has neither tlsClientAuth nor spiffe, one of which the profile demands"
	case held.holders > 1 && !s.allowSharedAnchors:
		return "its CA issued the certificate, others trust that CA too, and it has neither tlsClientAuth nor spiffe"
	}
	return "its CA issued the certificate"
}

// addNamesakes adds clients that trust a CA whose name is that of the certificate's
// issuer, or of the issuer of one presented beside it.
func (n *nearest) addNamesakes(s *Snapshot, chain *truststore.Chain) {
	for _, certificate := range chain.Certificates() {
		ids, _ := s.named.get(chain.IssuerName(certificate))
		for _, id := range ids[:min(len(ids), MaxCandidates)] {
			held, found := s.authority.get(id)
			if !found {
				continue
			}
			for _, c := range slices.Concat(held.unbound[:min(len(held.unbound), MaxCandidates)], held.someBound) {
				n.add(c, "it trusts a CA with the name of the issuer, and another key")
			}
		}
	}
}
