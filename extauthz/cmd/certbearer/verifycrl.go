package main

import (
	"fmt"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// revocationFlags say by what, and how strictly, verify asks for revocations.
type revocationFlags struct {
	CRL        string `name:"crl" help:"CRLs, PEM or one in DER: what they have is refused." placeholder:"FILE|-"`
	RequireCRL bool   `name:"require-crl" help:"Refuse, too, what no current CRL speaks for: every certificate of the path but the CA of the store."`
}

func (f revocationFlags) policy() revocation.Policy {
	switch {
	case f.RequireCRL:
		return revocation.Policy{Mode: revocation.Hard}
	case f.CRL != "":
		return revocation.Policy{Mode: revocation.Soft}
	}
	return revocation.Policy{}
}

// knownLists are those of --crl.
type knownLists struct {
	revocationFlags
	view *revocation.View
	// unread says why they cannot be used, where they are required.
	unread error
}

// lists reads them. Those that are none say nothing: where they are required that
// is a refusal, and otherwise an error, for nobody names a file to have it ignored.
func (f revocationFlags) lists(c *console) (knownLists, error) {
	known := knownLists{revocationFlags: f}
	if f.CRL == "" {
		return known, nil
	}
	text, err := c.readUpTo(f.CRL, 2*revocation.MaxCRLBytes)
	if err != nil {
		return known, err
	}
	lists, err := revocation.ParseCRLs(text)
	switch {
	case err == nil:
		known.view = revocation.NewView(nil, lists, nil)
		return known, nil
	case f.RequireCRL:
		known.unread = fmt.Errorf("%s: %w", shownFile(f.CRL), err)
		return known, nil
	}
	return known, fmt.Errorf("%s: %w", shownFile(f.CRL), err)
}

// judge asks about an accepted path.
func (k knownLists) judge(chain *truststore.Chain, store []truststore.Entry, path truststore.Path, at time.Time) (revocation.Verdict, error) {
	if k.policy().Mode == revocation.Off {
		return revocation.Verdict{}, nil
	}
	asked, refusal := revocation.Onward(chain, path, anchorsIn(store))
	if refusal != nil {
		return revocation.Verdict{}, refusal
	}
	k.prove(asked)
	verdict, refusal := k.view.JudgeWithin(chain.Work(), asked, k.policy(), at)
	if k.unread != nil && decision.ReasonOf(refusal) == decision.RevocationUnavailable {
		refusal = decision.Deny(decision.RevocationUnavailable, "--crl", k.unread)
	}
	return verdict, refusal
}

// prove has the lists find their signers on the path, as a server does when it reads
// them: it is nothing that a decision has to pay for.
func (k knownLists) prove(path truststore.Path) {
	for _, list := range k.view.CRLs() {
		for _, ca := range path[1:] {
			if list.SignedBy(ca) == nil {
				break
			}
		}
	}
}

func anchorsIn(store []truststore.Entry) []*truststore.Anchor {
	var anchors []*truststore.Anchor
	for _, entry := range store {
		if entry.IsAnchor() {
			anchors = append(anchors, truststore.NewAnchor(entry))
		}
	}
	return anchors
}
