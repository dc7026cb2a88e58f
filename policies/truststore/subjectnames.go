package truststore

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// generalName is a name of a certificate, ready to be compared with constraints.
type generalName struct {
	tag     byte
	text    string // dNSName and the host of a URI in lower case; a mailbox with its domain in lower case
	shown   string // as a denial shows it
	name    folded
	address netip.Addr
	vague   bool // of a name: see foldNameOf
	// problem says why it cannot be compared with a constraint of its kind.
	problem string
}

// smtpUTF8Mailbox begins an otherName that is an e-mail address beyond ASCII
// (RFC 9598), to which constraints on e-mail addresses apply as well.
var smtpUTF8Mailbox = []byte{derOID, 8, 0x2b, 6, 1, 5, 5, 7, 8, 9}

// checkedNames returns all the names that constraints are about: the subject,
// the alternative names and, without those, the e-mail addresses within the
// subject (RFC 5280 4.2.1.10). Names that RFC 5280 4.2.1.6 does not allow it refuses
// as a fault of form, constraints or not: each of them means one thing to one reader
// and another to the next. Where nobody asks for form, constraints of their kind
// refuse them still. It adds to read the bytes of directory names among them.
func (p Profile) checkedNames(c *x509.Certificate, read *int) ([]generalName, error) {
	alternatives, err := altNames(c)
	if err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, describe(c)+" subjectAltName", err)
	}
	names := make([]generalName, 0, len(alternatives)+1)
	if !emptyName(c.RawSubject) {
		subject := directoryName(c.RawSubject)
		subject.shown = "its subject " + strconv.Quote(shownSubject(c))
		names = append(names, subject)
	}
	for _, alternative := range alternatives {
		if alternative.tag == tagDirectory {
			if *read += len(alternative.value); *read > maxDirectoryBytes {
				return nil, decision.Deny(decision.PathTooComplex, describe(c), errTooManyNames)
			}
		}
		name, err := p.readName(byte(alternative.tag), alternative.value)
		if err != nil {
			return nil, decision.Deny(decision.PathInvalid, describe(c)+" subjectAltName", err)
		}
		names = append(names, name)
	}
	if extensionOf(c, oidSubjectAltName) == nil {
		names = append(names, subjectMailboxes(c)...)
	}
	return names, nil
}

func subjectMailboxes(c *x509.Certificate) []generalName {
	var names []generalName
	for _, attribute := range c.Subject.Names {
		if attribute.Type.String() != "1.2.840.113549.1.9.1" {
			continue
		}
		text, _ := attribute.Value.(string)
		names = append(names, mailbox(text))
	}
	return names
}

func (p Profile) readName(tag byte, value []byte) (generalName, error) {
	text := string(value)
	switch tag {
	case tagDNS:
		name := generalName{tag: tag, text: lowerASCII(text), shown: show("dNSName", text)}
		bare, _ := strings.CutPrefix(name.text, "*.")
		if !p.isHost(bare) || isAddress(bare) {
			return p.odd(name, "is no host name (RFC 5280 4.2.1.6)")
		}
		return name, nil
	case tagEmail:
		if !strings.Contains(text, "@") || !isASCII(text) {
			return p.odd(mailbox(text), "is no mailbox (RFC 5280 4.2.1.6)")
		}
		return mailbox(text), nil
	case tagURI:
		return p.uriName(text)
	case tagIP:
		address, ok := netip.AddrFromSlice(value)
		if !ok {
			return generalName{}, fmt.Errorf("an iPAddress of %d octets", len(value))
		}
		name := generalName{tag: tag, address: address, shown: show("iPAddress", address.String())}
		if address.Is4In6() {
			name.problem = "is an IPv4 address to some and none to others"
		}
		return name, nil
	case tagDirectory:
		return directoryName(value), nil
	case tagOther:
		if bytes.HasPrefix(value, smtpUTF8Mailbox) {
			return generalName{tag: tagEmail, shown: "an SmtpUTF8Mailbox", problem: "is not compared"}, nil
		}
	}
	return generalName{tag: tag, shown: "a name of kind [" + strconv.Itoa(int(tag)) + "]", problem: "is of a kind that is not compared"}, nil
}

// odd is a name that is not what its kind is to be. No constraint can be asked
// about it.
func (p Profile) odd(name generalName, problem string) (generalName, error) {
	name.problem = problem
	if p == Compatible {
		return name, nil
	}
	return name, errors.New(name.shown + " " + problem + unasked)
}

func directoryName(der []byte) generalName {
	name, vague, ok := foldNameOf(der)
	out := generalName{tag: tagDirectory, name: name, vague: vague, shown: "a directoryName"}
	if !ok {
		out.problem = "cannot be read, or is too long"
	}
	return out
}

func mailbox(text string) generalName {
	folded, ok := foldMailbox(text)
	name := generalName{tag: tagEmail, text: folded, shown: show("rfc822Name", text)}
	if !ok {
		name.problem = "is no mailbox of a host name, which the constraint is about"
	}
	return name
}

// foldMailbox lowers the domain: local parts differ by case (RFC 5280 7.5). The
// last @ divides, for a quoted local part may have others.
func foldMailbox(text string) (string, bool) {
	at := strings.LastIndexByte(text, '@')
	if at < 1 || !isASCII(text) {
		return "", false
	}
	local, ok := localPart(text[:at])
	domain := lowerASCII(text[at+1:])
	return local + "@" + domain, ok && isHost(domain)
}

// localPart reads a Local-part of RFC 5321 4.1.2 without its quotes, with which it
// is the same mailbox as without. Outside quotes nothing may stand in which
// another reader sees a second mailbox.
func localPart(text string) (string, bool) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", false
	}
	if text[0] != '"' {
		return text, !strings.ContainsAny(text, ` "(),:;<>@[\]`)
	}
	var out []byte
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return string(out), i == len(text)-1
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		out = append(out, text[i])
	}
	return "", false
}

func (p Profile) uriName(text string) (generalName, error) {
	name := generalName{tag: tagURI, shown: show("uniformResourceIdentifier", text)}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" {
		return p.odd(name, "is no absolute URI (RFC 5280 4.2.1.6)")
	}
	name.text = lowerASCII(parsed.Hostname())
	if !p.isHost(name.text) || isAddress(name.text) {
		name.problem = "has no host name, which the constraint is about"
	}
	return name, nil
}

// isHost is the function isHost, with underscores in the profile that has them.
func (p Profile) isHost(name string) bool {
	if p == Compatible {
		// As good as a letter, which an underscore is to all who let it pass.
		name = strings.ReplaceAll(name, "_", "a")
	}
	return isHost(name)
}

// isHost holds a name to the preferred name syntax of RFC 1034 3.5 as RFC 1123
// 2.1 has it. A dot at the end is not of it.
func isHost(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 || name[i-1] == '-' {
				return false
			}
			label = -1
		case c == '-':
			if label == 0 {
				return false
			}
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0 && name[len(name)-1] != '-'
}

// isAddress reports whether the text is an address: the last label of a host
// name is not a number (RFC 1123 2.1).
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func show(kind, text string) string { return kind + " " + strconv.Quote(bounded(text)) }
