package tokens_test

import (
	"encoding/base64"
	"testing"

	"github.com/certbearer/certbearer/extauthz/tokens"
)

// Services take credentials apart in ways of their own; where any of them could
// find a token of ours, it is not somebody else's.
func TestATokenOfOursIsFoundWhereverItStands(t *testing.T) {
	const issuer = "https://gateway.example"
	jws := func(payload string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	ours, theirs := jws(`{"iss":"`+issuer+`"}`), jws(`{"iss":"https://elsewhere.example"}`)
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	terms := tokens.Terms{Issuer: issuer}
	for sentence, test := range map[string]struct {
		text string
		want bool
	}{
		"as it is":                       {"Bearer " + ours, true},
		"bare":                           {ours, true},
		"behind a tab":                   {"Bearer\t" + ours, true},
		"behind a no-break space":        {"Bearer\u00a0" + ours, true},
		"behind another scheme":          {"DPoP " + ours, true},
		"behind the scheme, twice":       {"Bearer Bearer " + ours, true},
		"in a list":                      {"Bearer x," + ours, true},
		"in quotes":                      {`Token token="` + ours + `"`, true},
		"behind other segments":          {"Bearer a.b." + ours, true},
		"before other segments":          {"Bearer " + ours + ".x.y", true},
		"as the password of Basic":       {basic("user:" + ours), true},
		"as the user of Basic":           {basic(ours + ":"), true},
		"somebody else's":                {"Bearer " + theirs, false},
		"somebody else's in Basic":       {basic("user:" + theirs), false},
		"a password":                     {basic("user:secret"), false},
		"an opaque token":                {"Bearer 2YotnFZFEjr1zCsicMWpAA", false},
		"nothing":                        {"", false},
		"two segments are no signed one": {"Bearer " + ours[:len(ours)-5], false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := terms.HoldsOurs(test.text); got != test.want {
				t.Errorf("%q: %v", test.text, got)
			}
		})
	}
}
