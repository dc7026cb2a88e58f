package tokens

import (
	"maps"
	"time"
)

// Revoked is an immutable set of tokens that were taken out of use before their
// end. A nil *Revoked is an empty one.
type Revoked struct{ byID map[string]Revocation }

// Revocation is one token taken out of use. Nothing of it is a secret: who has a
// jti has no token.
type Revocation struct {
	ID       string    `json:"jti"`
	ClientID string    `json:"client_id"`
	Expires  time.Time `json:"exp"` // from then on nobody needs to remember it
	At       time.Time `json:"at"`
}

// forgottenAt is later than the token's end, for a replica whose clock is behind
// still takes the token for good.
func (r Revocation) forgottenAt() time.Time { return r.Expires.Add(time.Minute) }

// NewRevoked makes a set.
func NewRevoked(all ...Revocation) *Revoked {
	set := &Revoked{byID: make(map[string]Revocation, len(all))}
	for _, one := range all {
		set.byID[one.ID] = one
	}
	return set
}

// Has reports whether the token with the jti was revoked.
func (r *Revoked) Has(id string) bool {
	if r == nil {
		return false
	}
	_, found := r.byID[id]
	return found
}

// With returns what either has of tokens that have not expired at the given time. A
// revocation is never taken back: a set that lacks one was read before it, or from
// a file that somebody has replaced.
func (r *Revoked) With(other *Revoked, at time.Time) *Revoked {
	both := NewRevoked()
	for _, set := range []*Revoked{r, other} {
		if set == nil {
			continue
		}
		for id, one := range set.byID {
			if at.Before(one.forgottenAt()) {
				both.byID[id] = one
			}
		}
	}
	return both
}

// Len is how many are remembered.
func (r *Revoked) Len() int {
	if r == nil {
		return 0
	}
	return len(r.byID)
}

func (r *Revoked) ofClient(id string) int {
	count := 0
	for _, one := range r.byID {
		if one.ClientID == id {
			count++
		}
	}
	return count
}

// Equal reports whether both hold the same tokens.
func (r *Revoked) Equal(other *Revoked) bool {
	if r.Len() != other.Len() {
		return false
	}
	if r.Len() == 0 {
		return true
	}
	return maps.EqualFunc(r.byID, other.byID, func(a, b Revocation) bool { return a.ID == b.ID })
}
