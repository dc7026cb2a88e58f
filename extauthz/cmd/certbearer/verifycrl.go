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
	CRL        string `name:"crl" help:"CRLs, PEM or one in DER: what they have is refused." placeholder:"FILE"`
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

// judge asks about an accepted path. Lists that cannot be read say nothing: where
// they are required that is a refusal, and otherwise an error, for nobody names a
// file to have it ignored.
func (f revocationFlags) judge(store []truststore.Entry, path truststore.Path, at time.Time) (revocation.Verdict, error, error) {
	view, err := f.view()
	if err != nil && !f.RequireCRL {
		return revocation.Verdict{}, nil, err
	}
	verdict, refusal := view.Judge(revocation.Onward(path, anchorsIn(store)), f.policy(), at)
	if err != nil && decision.ReasonOf(refusal) == decision.RevocationUnavailable {
		refusal = decision.Deny(decision.RevocationUnavailable, "--crl", err)
	}
	return verdict, refusal, nil
}

func (f revocationFlags) view() (*revocation.View, error) {
	if f.CRL == "" {
		return nil, nil
	}
	text, err := readUpTo(f.CRL, 2*revocation.MaxCRLBytes)
	if err != nil {
		return nil, err
	}
	lists, err := revocation.ParseCRLs(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.CRL, err)
	}
	return revocation.NewView(nil, lists, nil), nil
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
