// Package authn answers one question for checks and endpoints alike: which
// client is this, by the certificate that was proven?
//
// It reads the evidence, has an inbound token held against it, finds the client
// and has that client's trust store judge the certificate: steps 2 to 5 of
// docs/request-path.md. There is no other way to be authenticated.
package authn

import (
	"context"
	"time"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Identity is who was authenticated, and by what.
type Identity struct {
	Client   *policies.Client
	Evidence peercert.Evidence
	Accepted policies.Accepted
	// Kept: the client and what its trust store accepts are those of an earlier
	// request, and still hold. Accepted then has no Path.
	Kept bool
	// Chain is the evidence as it was refused, nil where it was accepted or nobody
	// judged it. It knows the signatures that were checked.
	Chain *truststore.Chain
	// Tried is what the search for a path looked at, nil if nobody asked for a trace.
	Tried *truststore.Tried
}

// ChainOf is the evidence as it is judged.
func ChainOf(evidence peercert.Evidence) *truststore.Chain {
	return truststore.NewChain(evidence.Leaf, evidence.Intermediates)
}

// Claim is what a request says of its client besides the certificate.
type Claim struct {
	Hint policies.Hint
	// Inbound, if it is set, holds a token of the request against the proven
	// certificate and returns the client_id in it. Its error refuses. It narrows
	// whom the certificate may belong to; it stands for none of the steps.
	Inbound func(peercert.Evidence) (clientID string, err error)
}

// Candidates are the clients that a refused certificate came near to, for its
// record. Where nobody looked for the client there are none: to look costs
// signature checks.
func (id Identity) Candidates(st *state.State, named string) []policies.Candidate {
	if id.Chain == nil || st.Clients == nil {
		return nil
	}
	return st.Clients.Candidates(id.Chain, named)
}

// Authenticator reads evidence from where it is configured to be.
type Authenticator struct {
	reader      *peercert.Reader
	proxy       string
	verdicts    *verdicts
	revocations Revocations
}

// New returns an Authenticator that believes what the reader reads.
func New(reader *peercert.Reader) *Authenticator { return For("", reader) }

// For is New for a proxy that is known by a name, which records have.
func For(proxy string, reader *peercert.Reader) *Authenticator {
	return &Authenticator{reader: reader, proxy: proxy, verdicts: newVerdicts(maxVerdictBytes)}
}

// Proxy returns the name of the proxy, "" where it has none.
func (a *Authenticator) Proxy() string { return a.proxy }

// Source says where the evidence is read, such as "peer".
func (a *Authenticator) Source() string { return string(a.reader.Source()) }

// Evidence returns the proven certificate, which nobody has judged, for those
// who pass it on to where it is judged.
func (a *Authenticator) Evidence(presented peercert.Presented, t *decision.Trace) (peercert.Evidence, error) {
	return a.reader.Read(presented, t)
}

// Authenticate returns the client whose trust store accepts the proven
// certificate at the given time. The error is always a *decision.Denial unless it
// is Inbound's; beside it stands as much of the Identity as was found, which is
// for records and proves nothing.
//
// What was accepted is kept, and serves again for the same certificates and the same
// names while all that it rests on is the same. With a trace, everything is judged
// anew.
func (a *Authenticator) Authenticate(ctx context.Context, st *state.State, presented peercert.Presented, claim Claim, at time.Time, t *decision.Trace) (Identity, error) {
	var id Identity
	if st.Clients == nil {
		return id, decision.Denyf(decision.NotReady, "clients", "none have been loaded yet")
	}
	var err error
	if id.Evidence, err = a.reader.Read(presented, t); err != nil {
		return id, err
	}
	if claim.Inbound != nil {
		if claim.Hint.Token, err = claim.Inbound(id.Evidence); err != nil {
			return id, err
		}
	}
	if t.On() {
		return a.resolve(ctx, st, id, claim.Hint, at, t)
	}
	key := keyOf(id.Evidence, claim.Hint)
	if kept, found := a.verdicts.find(key, st, at); found {
		kept.Evidence = id.Evidence
		return kept, nil
	}
	if id, err = a.resolve(ctx, st, id, claim.Hint, at, nil); err == nil {
		a.verdicts.keep(key, id, st, at)
	}
	return id, err
}

// resolve finds the client and has it judge.
func (a *Authenticator) resolve(ctx context.Context, st *state.State, id Identity, hint policies.Hint, at time.Time, t *decision.Trace) (Identity, error) {
	chain := ChainOf(id.Evidence)
	if t.On() {
		id.Tried = chain.Watch()
	}
	var err error
	if id.Client, err = st.Clients.Resolve(chain, hint, t); err != nil {
		return id.refused(chain), err
	}
	if err := ctx.Err(); err != nil {
		return id.refused(chain), decision.Deny(decision.DeadlineExceeded, "", err)
	}
	if id.Accepted, err = a.judge(ctx, st, id.Client, chain, at, t); err != nil {
		return id.refused(chain), err
	}
	return id, nil
}

// refused keeps a copy of the chain: one of an accepted certificate needs no memory of
// the heap.
func (id Identity) refused(chain *truststore.Chain) Identity {
	kept := *chain
	id.Chain = &kept
	return id
}
