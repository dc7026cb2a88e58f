package truststore

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// Bounds of the work that name constraints may cause. A name is compared with
// every constraint above it, so that both numbers multiply; a comparison takes
// some 50 ns.
const (
	maxConstraints     = 2000
	maxNameComparisons = 30000
)

// Bounds of what a decision reads of name constraints, in bytes of all the CAs that
// it comes past, of which a client may have many, and of directory names, in
// constraints and among alternative names: some 20 ns a byte, and for directory
// names up to 150.
const (
	maxConstraintBytes = 64 << 10
	maxDirectoryBytes  = 12 << 10
)

// constraints are the nameConstraints of one CA certificate (RFC 5280 4.2.1.10).
type constraints struct {
	of        *x509.Certificate
	permitted []subtree
	excluded  []subtree
	// narrowed has a bit for each kind of name of which something is permitted,
	// and nothing else is.
	narrowed uint32
}

// subtree is one GeneralSubtree. What is set depends on the kind of name; a
// kind that is not compared has neither.
type subtree struct {
	tag     byte
	text    string // a host, a domain or a mailbox, in lower case
	name    folded
	vague   bool   // of a name: see foldNameOf
	shown   string // of a directory name
	network netip.Prefix
}

// constrained are the constraints of a certificate, or why nobody may be below it.
type constrained struct {
	constraints *constraints
	err         error
}

func (c *Chain) constraintsOf(ca *x509.Certificate, profile Profile) (*constraints, error) {
	of := readBy{ca, profile}
	known, found := c.constrained[of]
	if !found {
		known.constraints, known.err = c.readConstraints(ca, profile)
		if c.constrained == nil {
			c.constrained = make(map[readBy]constrained)
		}
		c.constrained[of] = known
	}
	return known.constraints, known.err
}

// readConstraints reads the extension, nil if there is none. Every error means
// that nobody may be accepted below.
func (c *Chain) readConstraints(ca *x509.Certificate, profile Profile) (*constraints, error) {
	extension := extensionOf(ca, oidNameConstraints)
	if extension == nil {
		return nil, nil
	}
	if c.read += len(extension.Value); c.read > maxConstraintBytes {
		return nil, decision.Denyf(decision.PathTooComplex, describe(ca), "the nameConstraints of the CAs on the way have more than %d bytes", maxConstraintBytes)
	}
	if err := c.work.spend(len(extension.Value)/constraintBytesPerWork, maxWork); err != nil {
		return nil, err
	}
	read := c.readNames
	parsed, err := profile.parseConstraints(extension.Value, &c.readNames)
	c.work.spent += (c.readNames - read) / directoryBytesPerWork
	if errors.Is(err, errTooManyConstraints) || errors.Is(err, errTooManyNames) {
		return nil, decision.Deny(decision.PathTooComplex, describe(ca), err)
	}
	if err != nil {
		return nil, decision.Denyf(decision.PathInvalid, describe(ca), "its nameConstraints are malformed: %w", err)
	}
	parsed.of = ca
	if !extension.Critical {
		return parsed, profile.form(ca, "its nameConstraints are not critical (RFC 5280 4.2.1.10)")
	}
	return parsed, nil
}

var (
	errTooManyConstraints = fmt.Errorf("it has more than %d name constraints", maxConstraints)
	errTooManyNames       = fmt.Errorf("the directory names in certificates on the way have more than %d bytes", maxDirectoryBytes)
	errDER                = errors.New("no DER of a NameConstraints")
)

// Identifier octets of the two lists of subtrees.
const (
	tagPermitted = 0xa0
	tagExcluded  = 0xa1
)

// parseConstraints adds to names what it reads of directory names, in bytes.
func (p Profile) parseConstraints(der []byte, names *int) (*constraints, error) {
	rest, ok := only(der, derSequence)
	if !ok {
		return nil, errDER
	}
	var out constraints
	last := byte(0)
	for len(rest) > 0 {
		tag, list, after, ok := element(rest)
		if !ok || tag <= last {
			return nil, errDER
		}
		last, rest = tag, after
		trees, err := p.parseSubtrees(tag, list, maxConstraints-len(out.permitted), names)
		if err != nil {
			return nil, err
		}
		if tag == tagExcluded && slices.ContainsFunc(trees, func(t subtree) bool { return t.vague }) {
			return nil, errors.New("an excluded directory name has text of a type that is not compared")
		}
		switch tag {
		case tagPermitted:
			out.permitted = trees
		case tagExcluded:
			out.excluded = trees
		default:
			return nil, errDER
		}
	}
	if len(out.permitted)+len(out.excluded) == 0 {
		return nil, errors.New("they constrain nothing")
	}
	for _, tree := range out.permitted {
		out.narrowed |= 1 << tree.tag
	}
	return &out, nil
}

func (p Profile) parseSubtrees(of byte, list []byte, most int, names *int) ([]subtree, error) {
	var trees []subtree
	for len(list) > 0 {
		tag, content, after, ok := element(list)
		if !ok || tag != derSequence {
			return nil, errDER
		}
		if len(trees) == most {
			return nil, errTooManyConstraints
		}
		tree, err := p.parseSubtree(of, content, names)
		if err != nil {
			return nil, err
		}
		trees, list = append(trees, tree), after
	}
	if len(trees) == 0 {
		return nil, errors.New("a list of subtrees is empty")
	}
	return trees, nil
}

// parseSubtree takes the base only: minimum is 0 and never written, maximum is
// absent (RFC 5280 4.2.1.10).
func (p Profile) parseSubtree(of byte, content []byte, names *int) (subtree, error) {
	tag, value, rest, ok := element(content)
	if !ok || tag&0xc0 != 0x80 || !inForm(tag) {
		return subtree{}, errDER
	}
	if len(rest) != 0 {
		return subtree{}, errors.New("a subtree has a minimum or a maximum")
	}
	tree := subtree{tag: tag & 0x1f}
	var err error
	switch tree.tag {
	case tagDNS:
		tree.text, err = p.dnsConstraint(of == tagExcluded, value)
	case tagURI:
		tree.text, err = p.hostConstraint(value, true)
	case tagEmail:
		tree.text, err = p.mailConstraint(value)
	case tagIP:
		tree.network, err = networkConstraint(value)
	case tagDirectory:
		if *names += len(value); *names > maxDirectoryBytes {
			return subtree{}, errTooManyNames
		}
		err = tree.readName(value)
	}
	return tree, err
}

// inForm reports whether the base is constructed exactly if it holds other elements.
func inForm(tag byte) bool {
	constructed := tag&0x20 != 0
	switch tag & 0x1f {
	case tagEmail, tagDNS, tagURI, tagIP, tagRegistered:
		return !constructed
	}
	return constructed
}

func (t *subtree) readName(value []byte) error {
	var ok bool
	if t.name, t.vague, ok = foldNameOf(value); !ok {
		return errors.New("a directory name cannot be read, or is too long")
	}
	var shown pkix.RDNSequence
	if _, err := asn1.Unmarshal(value, &shown); err != nil {
		return errors.New("a directory name cannot be read")
	}
	t.shown = shown.String()
	return nil
}

// dnsConstraint reads a host. RFC 5280 has no dot before it, and CAs write one all
// the same. Some readers then leave the host itself out, and some do not: it is
// excluded and not permitted.
func (p Profile) dnsConstraint(excluded bool, value []byte) (string, error) {
	if len(value) < 2 || value[0] != '.' {
		return p.hostConstraint(value, false)
	}
	if p != Compatible {
		return "", errors.New("a dNSName in them begins with a dot (RFC 5280 4.2.1.10)" + unasked)
	}
	bare, err := p.hostConstraint(value[1:], false)
	if err != nil || excluded {
		return bare, err
	}
	return "." + bare, nil
}

// hostConstraint reads a host. One with a dot before it is a domain, which only
// URI and e-mail constraints know; an empty dNSName has every host below it.
func (p Profile) hostConstraint(value []byte, mayLeadWithDot bool) (string, error) {
	host := lowerASCII(string(value))
	bare := host
	if mayLeadWithDot && len(host) > 1 && host[0] == '.' {
		bare = host[1:]
	}
	if host != "" && !p.isHost(bare) {
		return "", errors.New("a host in them is no host name")
	}
	return host, nil
}

func (p Profile) mailConstraint(value []byte) (string, error) {
	if at := bytes.LastIndexByte(value, '@'); at >= 0 {
		mailbox, ok := foldMailbox(string(value))
		if !ok {
			return "", errors.New("a mailbox in them is none")
		}
		return mailbox, nil
	}
	return p.hostConstraint(value, true)
}

func networkConstraint(value []byte) (netip.Prefix, error) {
	if len(value) != 8 && len(value) != 32 {
		return netip.Prefix{}, errors.New("an address range has neither 8 nor 32 octets")
	}
	address, _ := netip.AddrFromSlice(value[:len(value)/2])
	ones, ended := 0, false
	for _, octet := range value[len(value)/2:] {
		run := bits.LeadingZeros8(^octet)
		if ended && octet != 0 || octet<<run != 0 {
			return netip.Prefix{}, errors.New("the mask of an address range has gaps")
		}
		ones, ended = ones+run, run < 8 || ended
	}
	return netip.PrefixFrom(address, ones), nil
}
