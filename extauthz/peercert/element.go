package peercert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/certbearer/certbearer/policies/decision"
)

// element is what one proxy wrote about the connection it ended. Only Hash,
// Cert and Chain are kept.
type element struct {
	// position counts from 1 on the left, over all header values.
	position int
	// found holds the pair, from 1, at which each key stood; 0 is absent.
	found [keyCount]int
	// values of Hash, Cert and Chain; those of the other keys stay empty.
	values [keyCount]string
	// json is set where the element is of the JSON form. Its certificates are
	// plain PEM, those of its chain one a string.
	json        bool
	chainBlocks []string

	// der and sum are set by open where the element has a Cert.
	der []byte
	sum [sha256.Size]byte
}

func (e *element) has(k key) bool { return e.found[k] != 0 }

// named reports whether the element holds text from alternative names.
func (e *element) named() bool { return e.has(keyURI) || e.has(keyDNS) }

// proxyNames reports another By in the run of them with which the element
// begins. Envoy 1.40 writes one for each URI name of its own certificate, before
// anything that the client chose; anywhere else a second By is not Envoy's.
func (e *element) proxyNames(k key) bool {
	if k != keyBy {
		return false
	}
	for other, pair := range e.found {
		if pair != 0 && key(other) != keyBy {
			return false
		}
	}
	return true
}

// at is the place of a pair, or of the element where the key is absent.
func (e *element) at(k key) field { return field{element: e.position, pair: e.found[k]} }

// parseElements reads all values of the header, each to its end: a quoted
// value cannot reach from one header value into the next. It stops at more
// than MaxElements. An Envoy that appends keeps to the form that is there, so
// values in both forms are not from one line of proxies.
func parseElements(values []string) ([]element, error) {
	var elements []element
	for _, value := range values {
		if hasControl(value) {
			return nil, decision.Denyf(decision.XFCCMalformed, xfccHeader, "a control character")
		}
		if isJSON(value) != isJSON(values[0]) {
			return nil, decision.Denyf(decision.XFCCMalformed, xfccHeader, "text and JSON in one request")
		}
		parse := parseText
		if isJSON(value) {
			parse = parseJSON
		}
		more, err := parse(value, len(elements))
		if err != nil {
			return nil, err
		}
		elements = append(elements, more...)
	}
	return elements, nil
}

// parseText reads the elements of one header value, before which others stand.
func parseText(value string, before int) ([]element, error) {
	var elements []element
	for s, more := (scanner{rest: value}), true; more; {
		if before+len(elements) == MaxElements {
			return nil, tooManyElements()
		}
		e := element{position: before + len(elements) + 1}
		var err error
		if more, err = e.parse(&s); err != nil {
			return nil, err
		}
		elements = append(elements, e)
	}
	return elements, nil
}

func tooManyElements() error {
	return decision.Denyf(decision.XFCCElementCount, xfccHeader, "more than %d elements", MaxElements)
}

// parse reads one element and reports whether another must follow.
func (e *element) parse(s *scanner) (more bool, err error) {
	for at := 1; ; at++ {
		p, err := s.pair()
		if err != nil {
			return false, malformed(field{element: e.position, pair: at}, err)
		}
		if err := e.add(p, at); err != nil {
			return false, err
		}
		separator, err := s.separator()
		if err != nil {
			return false, malformed(field{element: e.position, pair: at}, err)
		}
		if separator != ';' {
			return separator == ',', nil
		}
	}
}

// add takes in the pair at position at.
//
// Envoy writes URI and DNS last and as they stand in the certificate, so what
// comes behind them in the same element may be the certificate's own invention.
// Evidence there is refused, wherever it may really come from.
func (e *element) add(p pair, at int) error {
	where := field{element: e.position, pair: at}
	if e.has(p.key) && !p.key.repeats() && !e.proxyNames(p.key) {
		return decision.Denyf(decision.XFCCDuplicateField, where.String(), "%s stands at pair %d already",
			lowerKeys[p.key], e.found[p.key])
	}
	switch p.key {
	case keyCert, keyChain:
		if !p.quoted {
			return malformed(where, errors.New("a certificate without quotes"))
		}
		fallthrough
	case keyHash:
		if e.named() {
			return decision.Denyf(decision.XFCCAmbiguousSAN, where.String(), "%s stands behind alternative names",
				lowerKeys[p.key])
		}
		e.values[p.key] = p.value
	}
	e.found[p.key] = at
	return nil
}

// open decodes Cert and holds Hash against it. An element without Cert has
// nothing to open.
func (e *element) open() error {
	if !e.has(keyCert) {
		return nil
	}
	ders, err := e.blocks(e.values[keyCert], 1)
	if err != nil {
		return decision.Deny(decision.CertificateMalformed, e.at(keyCert).String(), err)
	}
	e.der, e.sum = ders[0], sha256.Sum256(ders[0])
	return e.matchesHash(e.sum)
}

// matchesHash refuses a Hash, where there is one, other than sum.
func (e *element) matchesHash(sum [sha256.Size]byte) error {
	if !e.has(keyHash) {
		return nil
	}
	digest, err := hex.DecodeString(e.values[keyHash])
	if err != nil || !bytes.Equal(digest, sum[:]) {
		return decision.Denyf(decision.XFCCHashMismatch, e.at(keyHash).String(), "not the SHA-256 of the certificate")
	}
	return nil
}

// blocks reads PEM in the way that the form has it.
func (e *element) blocks(text string, most int) ([][]byte, error) {
	if e.json {
		return plainBlocks([]byte(text), most)
	}
	return readBlocks(text, most)
}

// chainDERs returns all certificates of Chain, at least one.
func (e *element) chainDERs() ([][]byte, error) {
	if !e.json {
		return readBlocks(e.values[keyChain], MaxCertificates)
	}
	if len(e.chainBlocks) > MaxCertificates {
		return nil, fmt.Errorf("%w: at most %d belong here", errTooManyBlocks, MaxCertificates)
	}
	var ders [][]byte
	for i, text := range e.chainBlocks {
		der, err := plainBlocks([]byte(text), 1)
		if err != nil {
			return nil, fmt.Errorf("string %d: %v", i+1, err) // not too many: one too many here
		}
		ders = append(ders, der[0])
	}
	if len(ders) == 0 {
		return nil, errors.New("no PEM block")
	}
	return ders, nil
}

// chain returns what follows leaf in Chain, which must begin with it. Envoy
// forwards chains that nobody has verified: one that begins with another
// certificate belongs to another client.
func (e *element) chain(leaf []byte) ([][]byte, error) {
	if !e.has(keyChain) {
		return nil, nil
	}
	ders, err := e.chainDERs()
	if errors.Is(err, errTooManyBlocks) {
		return nil, decision.Deny(decision.EvidenceTooManyCertificates, e.at(keyChain).String(), err)
	}
	if err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, e.at(keyChain).String(), err)
	}
	if !bytes.Equal(ders[0], leaf) {
		return nil, decision.Denyf(decision.ChainLeafMismatch, e.at(keyChain).String(),
			"the first certificate of the chain is not the proven one")
	}
	return ders[1:], nil
}

func malformed(where field, err error) error {
	return decision.Deny(decision.XFCCMalformed, where.String(), err)
}
