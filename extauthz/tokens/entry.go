package tokens

import (
	"sync/atomic"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// Basis is what a token rests on, all of it from one published state.
type Basis struct {
	// Proof is the identity of the record that the claims were drawn from: a
	// pointer to the client, not nil. Two bases rest on the same record if their
	// proofs are the same pointer. Its type has to have a size: Go may place all
	// values of an empty struct at one address.
	Proof any
	// Generation is the state's.
	Generation uint64
	// Keys are the state's; nil is a state without keys.
	Keys *signer.Keys
}

// clockStep is how far a token's iat may lie ahead of a request that it still
// serves. Requests are dated when they arrive, so the order may be off by a
// moment; more means that the clock was set back, and a verifier with the right
// time would refuse the token. Ten seconds is what FAPI 2.0 section 5.3.2.1 has
// verifiers tolerate.
const clockStep = 10 * time.Second

// entry is a cached token. Only generation and the places change after it is
// put into a shard; the shard's mutex guards the writing of all three.
type entry struct {
	key        string
	clientID   string
	token      Token
	kid        string
	proof      any
	generation atomic.Uint64

	inShard, inClient int
}

// servesNow reports whether the token is one that may be given to r, the record
// behind it aside: r is between iat and exp, and exp is not past r's own end.
func (e *entry) servesNow(r *Request) bool {
	return !r.At.Before(e.token.IssuedAt.Add(-clockStep)) &&
		r.At.Before(e.token.Expires) &&
		!e.token.Expires.After(r.NotAfter)
}

// restsOn reports whether the token would be the same if it were made from the
// basis: the same client record, and a key that verifiers are still given.
// Within one generation keys do not change, so the look-up is spared.
//
// The key need not be the one that signs now. While it is published, its tokens
// verify, and none outlives its own RenewAt here; renewing all of them in the
// moment in which another key takes over would be a burst of signing that helps
// no verifier. A compromised key is taken out of the set, and with that its
// tokens are gone.
func (e *entry) restsOn(b *Basis) bool {
	if e.proof != b.Proof {
		return false
	}
	if e.generation.Load() == b.Generation {
		return true
	}
	_, published := b.Keys.Key(e.kid)
	return published
}
