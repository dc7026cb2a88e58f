package peercert

import (
	"errors"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// Headers returns the lower-case names of the request headers that the Reader
// looks at. What a caller sends under them has to be taken off or replaced by
// the proxy, and must reach no upstream.
func (r *Reader) Headers() []string {
	switch {
	case r.from == Peer, r.from == XFCC:
		return []string{xfccHeader}
	case r.from == Statement:
		return []string{StatementHeader}
	case r.from == Header && r.format == FormatRFC9440:
		return []string{r.header, chainHeader(r.header)}
	case r.from == Header:
		return []string{r.header}
	}
	return nil
}

// fromHeader takes what the proxy wrote into the one header of its own.
func (r *Reader) fromHeader(p Presented) (Evidence, error) {
	values, chain := p.header(r.header), []string(nil)
	if r.format == FormatRFC9440 {
		chain = p.header(chainHeader(r.header))
	}
	if err := withinSize(nil, r.header, append(values[:len(values):len(values)], chain...)); err != nil {
		return Evidence{}, err
	}
	if len(values) > 1 {
		return Evidence{}, decision.Denyf(decision.EvidenceRepeated, r.header, "%d values: exactly one is read", len(values))
	}
	if len(values) == 0 || r.format.isNone(values[0]) {
		return Evidence{}, missing(r.header, chain)
	}
	if err := printable(values, r.header); err != nil {
		return Evidence{}, err
	}
	if err := printable(chain, chainHeader(r.header)); err != nil {
		return Evidence{}, err
	}
	evidence, err := r.decode(values[0], chain)
	if err != nil {
		return Evidence{}, r.format.suggest(values[0], err)
	}
	return evidence, nil
}

// decode reads the value as the format has it. chain is that of [FormatRFC9440].
func (r *Reader) decode(value string, chain []string) (Evidence, error) {
	switch r.format {
	case FormatALB:
		return fromPEM(value, MaxCertificates, r.header)
	case FormatALBLeaf, FormatNginx:
		return fromPEM(value, 1, r.header)
	case FormatRFC9440:
		return fromStructured(value, chain, r.header)
	case FormatApache:
		return fromFolded(value, r.header)
	case FormatHAProxy:
		return fromBase64([]string{value}, r.header)
	case FormatTraefik:
		return fromCommas(value, r.header)
	}
	return Evidence{}, decision.Denyf(decision.InternalError, r.header, "no format is configured")
}

func printable(values []string, header string) error {
	if slices.ContainsFunc(values, hasControl) {
		return decision.Denyf(decision.CertificateMalformed, header, "a control character")
	}
	return nil
}

// missing is the denial where the proxy says that the client sent nothing.
func missing(name string, chain []string) error {
	if len(chain) > 0 {
		return decision.Denyf(decision.CertificateMissing, name, "absent beside %s", chainHeader(name))
	}
	return decision.Denyf(decision.CertificateMissing, name, "absent")
}

// isNone reports how a proxy of the format says that there is no certificate,
// where it sends the header all the same: nothing between whatever stands around
// a certificate, or the word that mod_headers has for nothing.
func (f Format) isNone(value string) bool {
	switch f {
	case FormatApache:
		return value == "" || value == "(null)"
	case FormatRFC9440:
		return value == "" || value == "::"
	}
	return value == ""
}

// fromPEM reads URL-encoded PEM of 1 to most certificates, the leaf first.
func fromPEM(encoded string, most int, header string) (Evidence, error) {
	ders, err := readBlocks(encoded, most)
	if errors.Is(err, errTooManyBlocks) && most == MaxCertificates {
		return Evidence{}, decision.Deny(decision.EvidenceTooManyCertificates, header, err)
	}
	if err != nil {
		return Evidence{}, decision.Deny(decision.CertificateMalformed, header, err)
	}
	return evidenceOf(ders, field{in: header})
}
