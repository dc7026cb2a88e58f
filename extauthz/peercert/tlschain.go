package peercert

import "github.com/certbearer/certbearer/policies/decision"

// fromTLS takes what the client proved to ourselves. crypto/tls has parsed the
// certificates and seen the proof of the leaf's key; the bounds are ours.
func (r *Reader) fromTLS(p Presented) (Evidence, error) {
	const where = "tls"
	if len(p.TLSChain) == 0 {
		return Evidence{}, decision.Denyf(decision.CertificateMissing, where, "absent")
	}
	if len(p.TLSChain) > MaxCertificates {
		return Evidence{}, decision.Denyf(decision.EvidenceTooManyCertificates, where, "%d certificates: at most %d are read", len(p.TLSChain), MaxCertificates)
	}
	size := 0
	var ders [][]byte
	for _, certificate := range p.TLSChain {
		size += len(certificate.Raw)
		ders = append(ders, certificate.Raw)
	}
	if size > MaxBytes {
		return Evidence{}, decision.Denyf(decision.EvidenceTooLarge, where, "%d bytes in all: at most %d are read", size, MaxBytes)
	}
	return evidenceOf(ders, field{in: where})
}
