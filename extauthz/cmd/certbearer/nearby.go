package main

import (
	"crypto/x509"
	"path/filepath"
	"slices"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/truststore"
)

// maxNear bounds the clients whose documents are looked into for one refusal.
const maxNear = 8

// nearby is a client that a refused certificate comes near to, with its document.
type nearby struct {
	client *policies.Client
	store  []truststore.Entry
	draft  policies.Draft
}

// nearTo returns the clients that the certificate comes near to: the one that was
// found or named, those that records name, those that have another certificate of
// its subject or key, those that are bound to its subject. A client whose document
// has a fault is none of them.
func nearTo(clients *policies.Snapshot, dir string, presented []*x509.Certificate, named ...string) ([]nearby, error) {
	ids := named
	for _, candidate := range clients.Candidates(chainFrom(presented), "") {
		ids = append(ids, candidate.ID)
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return clients.Client(id) == nil })
	found := make(map[string]nearby)
	err := eachDocument(dir, func(file string, number int, document policies.Document) {
		client := clients.Client(document.ID)
		if client == nil || client.IsRemnant() || document.Fault != nil || found[document.ID].client != nil {
			return
		}
		if !slices.Contains(ids, document.ID) {
			if len(ids) >= maxNear || !resembles(presented[0], document) {
				return
			}
			ids = append(ids, document.ID)
		}
		if draft, err := draftIn(dir, file, number); err == nil {
			found[document.ID] = nearby{client, document.TrustStore, draft}
		}
	})
	var near []nearby
	for _, id := range ids {
		if one, known := found[id]; known && len(near) < maxNear {
			near = append(near, one)
			delete(found, id)
		}
	}
	return near, err
}

// resembles reports whether the client has a certificate like this one, or is bound
// to its subject.
func resembles(leaf *x509.Certificate, document policies.Document) bool {
	if binding := document.Client.Binding(); !binding.IsZero() && binding.Check(leaf) == nil {
		return true
	}
	return slices.ContainsFunc(document.TrustStore, func(entry truststore.Entry) bool { return likeness(leaf, entry.Certificate) != "" })
}

func draftIn(dir, file string, number int) (policies.Draft, error) {
	data, err := readUpTo(filepath.Join(dir, file), policies.MaxFileBytes)
	if err != nil {
		return policies.Draft{}, err
	}
	return policies.DraftOf(file, data, number)
}

// chainFrom is what is presented, leaf first, as it is judged.
func chainFrom(presented []*x509.Certificate) *truststore.Chain {
	return authn.ChainOf(peercert.Evidence{Leaf: presented[0], Intermediates: presented[1:]})
}

// clientTried is what the search for a path tried by the trust store of one client.
type clientTried struct {
	Client string `json:"client"`
	// Decided: the judgement of this client is the decision. Others were looked at
	// because the certificate comes near to them.
	Decided  bool   `json:"decided"`
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason,omitempty"`
	Field    string `json:"field,omitempty"`
	Detail   string `json:"detail,omitempty"`
	triedJSON
	Pins        []pinJSON `json:"pins,omitempty"`
	OmittedPins int       `json:"pins_omitted,omitempty"`

	tried *truststore.Tried
}

// triedBy has the client judge, which did not decide, and tells what it tried.
func (n nearby) triedBy(in world) clientTried {
	chain := chainFrom(in.presented)
	tried := chain.Watch()
	_, err := n.client.Judge(in.clients, chain, in.view, in.at, nil)
	return n.told(tried, in, err)
}

// told completes what was tried with what the client's document holds.
func (n nearby) told(tried *truststore.Tried, in world, err error) clientTried {
	chain := chainFrom(in.presented)
	pinned := n.client.HasPin(chain.Thumbprint)
	if err != nil && !pinned && (tried == nil || len(tried.Attempts) == 0) {
		// Nobody looked for a path to a certificate that is unfit by itself.
		tried = chain.Watch()
		_, _ = n.client.Terms(in.at).Verify(chain, n.client.Anchors())
	}
	out := clientTried{Client: n.client.ID(), Accepted: err == nil, triedJSON: newTriedJSON(tried), tried: tried}
	if err == nil {
		return out
	}
	out.Reason, out.Field, out.Detail = partsOf(err)
	if !pinned && n.client.AuthMethod() != policies.TLSClientAuth {
		out.Pins, out.OmittedPins = pinsBeside(n.store, in.presented[0])
	}
	return out
}
