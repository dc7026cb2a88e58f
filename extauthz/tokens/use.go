package tokens

// Use says whose hands a token is made for. It stands in the claim token_use, so
// that a token is refused where it does not belong.
type Use uint8

// The uses. The zero value is the one that is accepted nowhere by us.
const (
	// UseInjected is a token that the gateway puts on a request, for the upstream.
	UseInjected Use = iota
	// UseAccess is a token that the token endpoint gives out, to be sent to the
	// gateway.
	UseAccess
)

// String returns the claim's value.
func (u Use) String() string {
	if u == UseAccess {
		return "access"
	}
	return "injected"
}

func useOf(claim string) (use Use, known bool) {
	for _, use := range []Use{UseInjected, UseAccess} {
		if claim == use.String() {
			return use, true
		}
	}
	return UseInjected, false
}
