package extauthz

import (
	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// ChallengeOf is WWW-Authenticate of a refusal for a Reason.
func ChallengeOf(reason decision.Reason, scope string) string {
	a, _ := oauthanswer.Of(reason)
	return challenge(a, scope)
}

// StatusOf is the status of a refusal for a Reason.
func StatusOf(reason decision.Reason) wire.Status { return refusal(reason, "", "").Status }
