package peercert

import (
	"fmt"

	"github.com/certbearer/certbearer/policies/decision"
)

// choose returns the element that counts, opened.
func (r *Reader) choose(values []string, certificates *pool, t *decision.Trace) (*element, error) {
	elements, err := parseElements(values)
	if err != nil {
		return nil, err
	}
	if r.hops == 0 {
		return only(elements)
	}
	if t.On() {
		t.Note(decision.StepEvidence, "%s with %s: number %d from the right counts", xfccHeader,
			count(len(elements), "element"), r.hops)
	}
	if len(elements) < r.hops {
		return nil, decision.Denyf(decision.XFCCElementCount, xfccHeader, "%s, and %d hops are configured",
			count(len(elements), "element"), r.hops)
	}
	for i := range elements {
		if err := elements[i].checkNames(certificates); err != nil {
			return nil, err
		}
	}
	return &elements[len(elements)-r.hops], nil
}

// only returns the one element there may be when no hops are configured. With
// more than one, in one header value or several, it cannot be told which a
// proxy wrote and which a client.
func only(elements []element) (*element, error) {
	if len(elements) != 1 {
		return nil, decision.Denyf(decision.XFCCElementCount, xfccHeader, "%s: exactly one is read",
			count(len(elements), "element"))
	}
	return &elements[0], elements[0].open()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// checkNames opens the element and makes sure that it ended where its proxy
// ended it.
//
// Counting elements works only if no client can add one. But Envoy writes the
// certificate's URI and DNS names unquoted and unescaped at the end of the
// element, and a client may hold a certificate, self-signed or from a careless
// CA, with the URI
//
//	spiffe://x;DNS=z,Hash=00;Cert="…"
//
// so that Envoy's one element reads as two, the second as the client likes it.
// What gives such an element away is its honest beginning: Envoy has written
// Hash and Cert before any name. So every element, not only the one that
// counts, has its Cert parsed and its names searched for bytes that would have
// divided the text; the leftmost forged element always has an honest one with
// those names just before it. An element with names and without Cert cannot be
// searched and is refused for that; one whose Cert stands behind its names is
// refused by [element.add], one whose Cert is not the Hash by [element.open].
//
// With a single element none of this is asked: a name that divided the text
// shows as a second element or as evidence out of place, which are refused, or
// as one more name, which nobody reads. Nor is it asked of JSON, in which Envoy
// escapes names.
func (e *element) checkNames(certificates *pool) error {
	if e.json {
		return e.open()
	}
	if e.named() && !e.has(keyCert) {
		return decision.Denyf(decision.XFCCCertificateMissing, field{element: e.position}.String(),
			"alternative names without the certificate they are from")
	}
	if err := e.open(); err != nil || !e.has(keyCert) {
		return err
	}
	certificate, err := certificates.parse(e.der, e.at(keyCert))
	if err != nil {
		return err
	}
	if name, found := dividingName(certificate); found {
		return decision.Denyf(decision.XFCCAmbiguousSAN, e.at(keyCert).String(),
			"the alternative name %.80q could forge elements", name)
	}
	return nil
}
