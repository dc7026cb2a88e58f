package peercert

import (
	"errors"
	"fmt"
	"strings"
)

// key is a name that Envoy writes before "=" in an element.
type key uint8

const (
	keyBy key = iota
	keyHash
	keyCert
	keyChain
	keySubject
	keyIssuer
	keyURI
	keyDNS
	keyCount
)

// lowerKeys in lower case, the order that of the constants.
var lowerKeys = [keyCount]string{"by", "hash", "cert", "chain", "subject", "issuer", "uri", "dns"}

const longestKey = len("subject")

// repeats reports whether an element may hold the key more than once: Envoy
// writes one URI and one DNS for each such name of the certificate.
func (k key) repeats() bool { return k == keyURI || k == keyDNS }

// pair is one key=value of an element. value is a part of the header, without
// its quotes and with its backslashes: nothing that is read may hold any.
type pair struct {
	key    key
	quoted bool
	value  string
}

// scanner walks over one header value. Each byte is visited a fixed number of
// times, whatever the text.
//
//	header  = element *("," element)
//	element = pair *(";" pair)
//	pair    = key "=" (quoted / plain)
//	quoted  = DQUOTE *(any but DQUOTE ";" "\" / "\" any) DQUOTE
//	plain   = *(any but "," ";" DQUOTE)
//
// No byte below 0x20 and no 0x7f stands anywhere, and no white space around
// anything.
type scanner struct {
	rest string
}

// pair reads one pair and leaves what follows its value.
func (s *scanner) pair() (pair, error) {
	k, err := s.key()
	if err != nil {
		return pair{}, err
	}
	value, quoted, err := s.value()
	return pair{key: k, quoted: quoted, value: value}, err
}

func (s *scanner) key() (key, error) {
	head := s.rest[:min(longestKey+1, len(s.rest))]
	name, _, found := strings.Cut(head, "=")
	if !found {
		return 0, fmt.Errorf("%q begins no known key", head)
	}
	for k, lower := range lowerKeys {
		if equalASCII(name, lower) {
			s.rest = s.rest[len(name)+1:]
			return key(k), nil
		}
	}
	return 0, fmt.Errorf("unknown key %q", name)
}

func (s *scanner) value() (value string, quoted bool, err error) {
	if text, found := strings.CutPrefix(s.rest, `"`); found {
		end := closingQuote(text)
		if end < 0 {
			return "", true, errors.New("a quoted value does not end, or not before a semicolon")
		}
		s.rest = text[end+1:]
		return text[:end], true, nil
	}
	end := strings.IndexAny(s.rest, `,;"`)
	if end < 0 {
		end = len(s.rest)
	}
	value, s.rest = s.rest[:end], s.rest[end:]
	return value, false, nil
}

// separator takes the "," or ";" that must follow a value, or returns 0 at the
// end of the text.
func (s *scanner) separator() (byte, error) {
	if s.rest == "" {
		return 0, nil
	}
	c := s.rest[0]
	if c != ',' && c != ';' {
		return 0, fmt.Errorf(`%q follows a value where only "," or ";" may`, c)
	}
	s.rest = s.rest[1:]
	return c, nil
}

// closingQuote returns the index of the first quote that no backslash escapes,
// or -1. RFC 2253, in which Envoy writes names, escapes more than the quote and
// the backslash themselves ("Acme\, Inc."), so any byte may follow a backslash.
//
// It also escapes every semicolon, so one without a backslash means that this
// quote was never closed by who opened it. Where a proxy appends to what its
// client sent, the client could send the first line, hold a certificate with
// the URI of the third, and have all three read as one element:
//
//	By="
//	,Hash=(the client's);URI=
//	";Cert="(of somebody else)"
func closingQuote(text string) int {
	end := strings.IndexByte(text, '"')
	if end < 0 || strings.IndexByte(text[:end], '\\') < 0 && strings.IndexByte(text[:end], ';') < 0 {
		return end
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case ';':
			return -1
		case '\\':
			i++
		}
	}
	return -1
}

// equalASCII compares without regard to case, of ASCII letters only: Unicode
// folding would take "URİ" for a key. lower holds nothing but a to z.
func equalASCII(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		if name[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}
