package truststore

import (
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// CheckUsable says whether the anchor can be part of a path at the given time:
// its own validity and key, as [Verify] holds every anchor to them. The error is
// PathExpired, KeyWeak or KeyUnsupported.
func (a *Anchor) CheckUsable(at time.Time) error {
	if err := checkValidity(a.Certificate, at); err != nil {
		return decision.Deny(decision.PathExpired, describe(a.Certificate), err)
	}
	return checkKey(a.Certificate)
}
