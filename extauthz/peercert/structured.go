package peercert

import (
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// fromStructured reads Client-Cert and Client-Cert-Chain (RFC 9440). Parameters
// are refused: the RFC defines none, and what one would mean is not known.
func fromStructured(value string, chain []string, header string) (Evidence, error) {
	der, err := byteSequence(value)
	if err != nil {
		return Evidence{}, decision.Deny(decision.CertificateMalformed, header, err)
	}
	rest, err := byteSequences(chain, chainHeader(header))
	if err != nil {
		return Evidence{}, err
	}
	var certificates pool
	leaf, err := certificates.parse(der, field{in: header})
	if err != nil {
		return Evidence{}, err
	}
	intermediates, err := certificates.intermediates(leaf, rest, field{in: chainHeader(header)})
	return Evidence{Leaf: leaf, Intermediates: intermediates, Thumbprint: sha256.Sum256(leaf.Raw)}, err
}

// byteSequence reads one, with nothing around it (RFC 8941 section 3.3.5).
func byteSequence(text string) ([]byte, error) {
	body, begins := strings.CutPrefix(text, ":")
	body, ends := strings.CutSuffix(body, ":")
	if !begins || !ends {
		return nil, errors.New("not one byte sequence, base64 between colons, and nothing besides")
	}
	return decodeDER(body)
}

// byteSequences reads a list of them (RFC 8941 section 3.1) in one header line
// or several, which RFC 9440 section 2.3 leaves to the proxy. An empty header is
// an empty list.
func byteSequences(lines []string, header string) ([][]byte, error) {
	var ders [][]byte
	if len(lines) == 1 && lines[0] == "" {
		return nil, nil
	}
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			where := field{in: header, certificate: len(ders) + 1}
			if len(ders) == MaxCertificates-1 {
				return nil, decision.Denyf(decision.EvidenceTooManyCertificates, where.String(),
					"more than %d certificates beside the leaf", MaxCertificates-1)
			}
			der, err := byteSequence(strings.Trim(member, " "))
			if err != nil {
				return nil, decision.Deny(decision.CertificateMalformed, where.String(), err)
			}
			ders = append(ders, der)
		}
	}
	return ders, nil
}
