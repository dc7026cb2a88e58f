package peercert

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// decodeDER reads base64 (RFC 4648 section 4) that is padded, has no spare bits
// and nothing between its characters: the decoder alone would skip line breaks.
func decodeDER(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("empty")
	}
	if hasControl(text) {
		return nil, errors.New("a control character")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// fromBase64 reads bare base64 of DER, one certificate a text, the leaf first.
func fromBase64(texts []string, header string) (Evidence, error) {
	if len(texts) > MaxCertificates {
		return Evidence{}, decision.Denyf(decision.EvidenceTooManyCertificates, header,
			"%d certificates: at most %d are read", len(texts), MaxCertificates)
	}
	ders := make([][]byte, len(texts))
	for i, text := range texts {
		der, err := decodeDER(text)
		if err != nil {
			return Evidence{}, decision.Deny(decision.CertificateMalformed, field{in: header, certificate: i + 1}.String(), err)
		}
		ders[i] = der
	}
	return evidenceOf(ders, field{in: header})
}

// fromCommas reads Traefik's list. Its older versions URL-encode each certificate;
// base64 has no percent sign, so that what decoding changes is never base64.
func fromCommas(value, header string) (Evidence, error) {
	texts := strings.SplitN(value, ",", MaxCertificates+1)
	for i, text := range texts {
		plain, err := unescape(text)
		if err != nil {
			return Evidence{}, decision.Deny(decision.CertificateMalformed, field{in: header, certificate: i + 1}.String(), err)
		}
		texts[i] = string(plain)
	}
	return fromBase64(texts, header)
}

// fromFolded reads PEM whose line breaks have become one space each.
func fromFolded(value, header string) (Evidence, error) {
	body, begins := strings.CutPrefix(value, pemBegin+" ")
	body, ends := strings.CutSuffix(strings.TrimSuffix(body, " "), " "+pemEnd)
	if !begins || !ends {
		return Evidence{}, decision.Denyf(decision.CertificateMalformed, header, "not one PEM block on one line, from %q to %q", pemBegin, pemEnd)
	}
	var text strings.Builder
	for line := range strings.SplitSeq(body, " ") {
		if line == "" {
			return Evidence{}, decision.Denyf(decision.CertificateMalformed, header, "an empty line in the PEM block")
		}
		text.WriteString(line)
	}
	return fromBase64([]string{text.String()}, header)
}
