package authn

import (
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/policies"
)

// KeepingAtMost returns an Authenticator like a whose kept verdicts take at most so
// many bytes.
func (a *Authenticator) KeepingAtMost(bytes uint64) *Authenticator {
	bounded := *a
	bounded.verdicts = newVerdicts(bytes)
	return &bounded
}

// VerdictBytes is what the smallest verdict counts for.
const VerdictBytes = verdictBytes

// Settle has the cache do what it has put off.
func (a *Authenticator) Settle() { a.verdicts.cache.CleanUp() }

// Keeps reports whether there is a verdict for what is presented, whether it holds or
// not. Nothing is judged for that, and so nothing is kept anew.
func (a *Authenticator) Keeps(presented peercert.Presented, hint policies.Hint) bool {
	evidence, err := a.reader.Read(presented, nil)
	if err != nil {
		return false
	}
	_, found := a.verdicts.cache.GetEntryQuietly(keyOf(evidence, hint))
	return found
}
