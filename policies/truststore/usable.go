package truststore

import "time"

// CheckUsable says whether the anchor can be part of a path at the given time:
// what [Verify] asks of an anchor whatever it issued. The error is PathExpired,
// PathInvalid, PathTooComplex, CriticalExtensionUnknown, CertificatePurpose,
// KeyWeak or KeyUnsupported.
func (a *Anchor) CheckUsable(at time.Time) error { return a.CheckUsableOn(Terms{At: at}) }

// CheckUsableOn is CheckUsable on other terms than those of [Verify].
func (a *Anchor) CheckUsableOn(terms Terms) error {
	if _, err := begin(NewChain(a.Certificate, nil), terms, a.Certificate); err != nil {
		return err
	}
	return checkKey(a.Certificate)
}
