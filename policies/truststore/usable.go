package truststore

import "time"

// CheckUsable says whether the anchor can be part of a path at the given time:
// what [Verify] asks of an anchor whatever it issued. The error is PathExpired,
// PathInvalid, PathTooComplex, CriticalExtensionUnknown, CertificatePurpose,
// KeyWeak or KeyUnsupported.
func (a *Anchor) CheckUsable(at time.Time) error {
	if _, err := begin(NewChain(a.Certificate, nil), Terms{At: at}, a.Certificate); err != nil {
		return err
	}
	return checkKey(a.Certificate)
}
