package authn

import (
	"context"
	"time"

	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Revocations asks for what is not known yet of a certificate that comes for the
// first time.
type Revocations interface {
	// Learn is called when a path that the client's trust store accepts lacks the
	// revocation status of one of its certificates. It asks the locations of the path
	// that the client allows and that were not asked before, waits for their answers
	// until ctx ends, or for less, and returns the newest View there is.
	//
	// It waits for no location a second time: what was asked before, well or not, is
	// asked again in the background alone, and then Learn returns at once. So a
	// location that is down costs one request of each certificate a wait, and no other.
	//
	// The View may be newer than that of the State that the request has loaded, and it
	// has been, or is about to be, published in one: the request is decided by what
	// came while it was waiting. It is only ever asked about revocations, and nothing
	// else of the State hangs on it. nil, or the View that Learn's caller has, says
	// that nothing came.
	//
	// It is safe for concurrent use.
	Learn(ctx context.Context, client *policies.Client, path truststore.Path) *revocation.View
}

// Asking returns an Authenticator like a that has r asked what is not known; nil asks
// nobody.
func (a *Authenticator) Asking(r Revocations) *Authenticator {
	asking := *a
	asking.revocations = r
	return &asking
}

// judge has the client judge the certificate, and once more if what was missing came.
func (a *Authenticator) judge(ctx context.Context, st *state.State, client *policies.Client, chain *truststore.Chain, at time.Time, t *decision.Trace) (policies.Accepted, error) {
	accepted, err := client.Judge(st.Clients, chain, st.CRLs, at, t)
	if a.revocations != nil && isMissing(accepted, err) {
		if learned := a.revocations.Learn(ctx, client, accepted.Asked); learned != nil && learned != st.CRLs {
			t.Note(decision.StepJudge, "the locations of the certificates were asked")
			accepted, err = client.Judge(st.Clients, chain, learned, at, t)
		}
	}
	if err != nil {
		return policies.Accepted{}, err
	}
	return accepted, nil
}

// Revocation is what a record says of an accepted certificate: "" where nobody asked,
// "good", or, where soft mode lets in what nobody can tell, the reason for which hard
// mode would have refused, and that refusal.
func (id Identity) Revocation() (word string, unknown error) {
	switch verdict := id.Accepted.Revocation; {
	case verdict.Status == revocation.Unchecked:
		return "", nil
	case len(verdict.Missing) > 0:
		return decision.ReasonOf(verdict.Missing[0]).String(), verdict.Missing[0]
	default:
		return verdict.Status.String(), nil
	}
}

// isMissing reports whether more has to be known of an accepted path to judge it.
func isMissing(accepted policies.Accepted, err error) bool {
	if err == nil {
		return len(accepted.Revocation.Missing) > 0
	}
	reason := decision.ReasonOf(err)
	return reason == decision.RevocationUnavailable || reason == decision.RevocationStale
}
