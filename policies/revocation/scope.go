package revocation

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

// reasons is a set of ReasonFlags (RFC 5280 4.2.1.13): bit n is flag n.
type reasons uint16

// allReasons are the flags 1 to 8; flag 0 is unused.
const allReasons reasons = 0x1fe

// scope is for which certificates a CRL speaks, as its issuingDistributionPoint
// says (RFC 5280 5.2.5). That of a CRL without the extension is whole: every
// certificate of the issuer, for every reason.
type scope struct {
	// points are names as [comparableName] makes them; a certificate must have one of
	// them, where there are any.
	points                                                []string
	onlyUsers, onlyCAs, onlyAttributes, indirect, pointed bool
	reasons                                               reasons
}

func wholeScope() scope { return scope{reasons: allReasons} }

// parseScope reads an issuingDistributionPoint. issuer is the CRL's, in DER.
func parseScope(der, issuer []byte) (scope, error) {
	s := wholeScope()
	input, inner := cryptobyte.String(der), cryptobyte.String(nil)
	if !input.ReadASN1(&inner, tags.SEQUENCE) || !input.Empty() || inner.Empty() {
		return s, errors.New("it is no SEQUENCE that says something")
	}
	if err := s.readPoints(&inner, issuer); err != nil {
		return s, err
	}
	for _, flag := range []struct {
		tag  uint8
		into *bool
	}{{1, &s.onlyUsers}, {2, &s.onlyCAs}} {
		if err := readFlag(&inner, flag.tag, flag.into); err != nil {
			return s, err
		}
	}
	if err := readReasons(&inner, 3, &s.reasons); err != nil {
		return s, err
	}
	for _, flag := range []struct {
		tag  uint8
		into *bool
	}{{4, &s.indirect}, {5, &s.onlyAttributes}} {
		if err := readFlag(&inner, flag.tag, flag.into); err != nil {
			return s, err
		}
	}
	if !inner.Empty() {
		return s, errors.New("it has an unknown field")
	}
	if one := count(s.onlyUsers, s.onlyCAs, s.onlyAttributes); one > 1 {
		return s, errors.New("it is only for more than one kind of certificate")
	}
	return s, nil
}

func (s *scope) readPoints(inner *cryptobyte.String, issuer []byte) error {
	var name cryptobyte.String
	if !inner.ReadOptionalASN1(&name, &s.pointed, tags.Tag(0).ContextSpecific().Constructed()) {
		return errors.New("its distributionPoint cannot be read")
	}
	if !s.pointed {
		return nil
	}
	names, err := pointNames(name, issuer)
	for _, name := range names {
		s.points = append(s.points, comparableName(name))
	}
	return err
}

func readFlag(from *cryptobyte.String, tag uint8, into *bool) error {
	var content cryptobyte.String
	var present bool
	if !from.ReadOptionalASN1(&content, &present, tags.Tag(tag).ContextSpecific()) {
		return fmt.Errorf("field %d cannot be read", tag)
	}
	if present && (len(content) != 1 || content[0] != 0 && content[0] != 0xff) {
		return fmt.Errorf("field %d is no BOOLEAN", tag)
	}
	*into = present && content[0] != 0
	return nil
}

// readReasons leaves into as it is where the field is absent.
func readReasons(from *cryptobyte.String, tag uint8, into *reasons) error {
	var content cryptobyte.String
	var present bool
	if !from.ReadOptionalASN1(&content, &present, tags.Tag(tag).ContextSpecific()) {
		return errors.New("its reasons cannot be read")
	}
	if !present {
		return nil
	}
	if len(content) < 1 || len(content) > 3 || content[0] > 7 || len(content) == 1 && content[0] != 0 {
		return errors.New("its reasons are no ReasonFlags")
	}
	bits := asn1.BitString{Bytes: content[1:], BitLength: 8*(len(content)-1) - int(content[0])}
	*into = 0
	for flag := 1; flag <= 8; flag++ {
		*into |= reasons(bits.At(flag)) << flag
	}
	return nil
}

func count(flags ...bool) int {
	n := 0
	for _, flag := range flags {
		if flag {
			n++
		}
	}
	return n
}

// pointNames returns the GeneralNames of a DistributionPointName, each in DER.
// A name relative to the CRL's issuer is written out as a directoryName.
func pointNames(name cryptobyte.String, issuer []byte) ([][]byte, error) {
	full, relative := tags.Tag(0).ContextSpecific().Constructed(), tags.Tag(1).ContextSpecific().Constructed()
	var content cryptobyte.String
	switch {
	case name.PeekASN1Tag(full) && name.ReadASN1(&content, full) && name.Empty():
		return generalNames(content)
	case name.PeekASN1Tag(relative) && name.ReadASN1(&content, relative) && name.Empty():
		written, err := relativeName(issuer, content)
		return [][]byte{written}, err
	}
	return nil, errors.New("the name of a distribution point cannot be read")
}

func generalNames(content cryptobyte.String) ([][]byte, error) {
	var names [][]byte
	for !content.Empty() {
		var element cryptobyte.String
		var tag tags.Tag
		if !content.ReadAnyASN1Element(&element, &tag) {
			return nil, errors.New("a general name cannot be read")
		}
		if len(names) == maxPoints {
			return nil, fmt.Errorf("more than %d names of distribution points", maxPoints)
		}
		names = append(names, element)
	}
	if len(names) == 0 {
		return nil, errors.New("a distribution point with an empty list of names")
	}
	return names, nil
}

func relativeName(issuer []byte, fragment cryptobyte.String) ([]byte, error) {
	input, above := cryptobyte.String(issuer), cryptobyte.String(nil)
	if !input.ReadASN1(&above, tags.SEQUENCE) {
		return nil, errors.New("the issuer's name cannot be read")
	}
	var b cryptobyte.Builder
	b.AddASN1(tags.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(above)
			b.AddASN1(tags.SET, func(b *cryptobyte.Builder) { b.AddBytes(fragment) })
		})
	})
	return b.Bytes()
}

// directoryName writes a Name as a GeneralName.
func directoryName(name []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tags.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(name) })
	return b.BytesOrPanic()
}

// point is a distribution point of a certificate (RFC 5280 4.2.1.13) from which
// lists of its own issuer come.
type point struct {
	names   [][]byte
	reasons reasons
}

// pointsOf returns the distribution points of a certificate. One without the
// extension has its issuer's name for one (RFC 5280 6.3.3, at the end). Points
// of another CRL issuer are left out: their lists are indirect.
func pointsOf(c *x509.Certificate) ([]point, error) {
	for _, extension := range c.Extensions {
		if slices.Equal(extension.Id, asn1.ObjectIdentifier{2, 5, 29, 31}) {
			return parsePoints(extension.Value, c.RawIssuer)
		}
	}
	return []point{{names: [][]byte{directoryName(c.RawIssuer)}, reasons: allReasons}}, nil
}

// isDelegated reports whether all distribution points of a certificate are another
// CRL issuer's.
func isDelegated(c *x509.Certificate) bool {
	points, err := pointsOf(c)
	return err == nil && len(points) == 0
}

func parsePoints(der, issuer []byte) ([]point, error) {
	input, sequence := cryptobyte.String(der), cryptobyte.String(nil)
	if len(der) > maxPointBytes {
		return nil, fmt.Errorf("cRLDistributionPoints has more than %d bytes", maxPointBytes)
	}
	if !input.ReadASN1(&sequence, tags.SEQUENCE) || !input.Empty() {
		return nil, errors.New("cRLDistributionPoints is no SEQUENCE")
	}
	var points []point
	own, names := comparableName(directoryName(issuer)), 0
	for read := 0; !sequence.Empty(); read++ {
		if read == maxPoints {
			return nil, fmt.Errorf("more than %d distribution points", maxPoints)
		}
		var inner cryptobyte.String
		if !sequence.ReadASN1(&inner, tags.SEQUENCE) {
			return nil, errors.New("a distribution point cannot be read")
		}
		p, isOwn, err := parsePoint(inner, issuer, own)
		if err != nil {
			return nil, err
		}
		if names += len(p.names); names > maxPointNames {
			return nil, fmt.Errorf("more than %d names of distribution points", maxPointNames)
		}
		if isOwn {
			points = append(points, p)
		}
	}
	return points, nil
}

// parsePoint reports, too, whether its lists are of the issuer itself; own is its name.
func parsePoint(inner cryptobyte.String, issuer []byte, own string) (point, bool, error) {
	p := point{reasons: allReasons}
	var name, other cryptobyte.String
	var named, delegated bool
	if !inner.ReadOptionalASN1(&name, &named, tags.Tag(0).ContextSpecific().Constructed()) {
		return p, false, errors.New("the name of a distribution point cannot be read")
	}
	if err := readReasons(&inner, 1, &p.reasons); err != nil {
		return p, false, err
	}
	if !inner.ReadOptionalASN1(&other, &delegated, tags.Tag(2).ContextSpecific().Constructed()) || !inner.Empty() {
		return p, false, errors.New("a distribution point has an unknown field")
	}
	if delegated && comparableName(other) != own {
		return p, false, nil
	}
	if !named {
		p.names = [][]byte{directoryName(issuer)}
		return p, true, nil
	}
	names, err := pointNames(name, issuer)
	p.names = names
	return p, err == nil, err
}

// speaksFor reports whether a CRL of this scope is for the kind of the certificate. One
// that is indirect has certificates of other issuers besides those of its own.
func (s scope) speaksFor(c *x509.Certificate) bool {
	isCA := c.BasicConstraintsValid && c.IsCA
	return !s.onlyAttributes && (!s.onlyUsers || !isCA) && (!s.onlyCAs || isCA)
}

// covers returns for which reasons a CRL of this scope says that a certificate
// with these distribution points is not revoked, 0 for none.
func (s scope) covers(points map[string]reasons) reasons {
	if !s.pointed {
		return s.reasons
	}
	var covered reasons
	for _, name := range s.points {
		covered |= s.reasons & points[name]
	}
	return covered
}

// pointBytes is how much of a certificate has to be read for its distribution points.
func pointBytes(c *x509.Certificate) int {
	bytes := len(c.RawIssuer)
	for _, extension := range c.Extensions {
		if slices.Equal(extension.Id, asn1.ObjectIdentifier{2, 5, 29, 31}) {
			bytes += min(len(extension.Value), maxPointBytes)
		}
	}
	return bytes
}

// reasonsByName says for which reasons a certificate names each distribution point.
func reasonsByName(c *x509.Certificate) (map[string]reasons, error) {
	points, err := pointsOf(c)
	if err != nil {
		return nil, err
	}
	all := make(map[string]reasons)
	for _, p := range points {
		for _, name := range p.names {
			all[comparableName(name)] |= p.reasons
		}
	}
	return all, nil
}
