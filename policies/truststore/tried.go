package truststore

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// MaxAttempts bounds the attempts that [Tried] keeps, and each of its lists: more
// than anybody reads, and one presented certificate can make many.
const MaxAttempts = 32

// Tried is what a search for a path looked at, for the operator: see
// [Chain.Watch]. Nothing of it is for whoever presented the certificate.
type Tried struct {
	// Attempts are in the order in which they were made. The path that was
	// accepted is the last one, and is never left out.
	Attempts []Attempt
	// Omitted counts the attempts beyond MaxAttempts.
	Omitted int

	// The rest is of a search that found nothing.

	// Missing are certificates on the way up from the leaf, itself included, whose
	// issuer, by name, is neither an anchor nor presented.
	Missing []*x509.Certificate
	// Idle are anchors from which no name leads on, OmittedIdle counts those
	// beyond MaxAttempts.
	Idle        []*x509.Certificate
	OmittedIdle int
	// Unused are presented certificates, MaxAttempts at most, to which nothing led and
	// which are no anchors.
	Unused []Unused

	reached map[*x509.Certificate]bool
}

// Attempt is one path that was tried, as far as it came.
type Attempt struct {
	// Certificates are from the anchor down. The last is the one at which the
	// attempt ended.
	Certificates []*x509.Certificate
	// Err says why, nil for the path that was accepted. It is a *decision.Denial:
	// PathNotFound where the signature is not by the key of the certificate above.
	Err error
}

// Unused is a presented certificate to which nothing led.
type Unused struct {
	Certificate *x509.Certificate
	Why         string
}

// Watch has the searches of this chain kept. Each one begins the Tried anew, so
// that it is of the last one. A chain that is not watched keeps nothing.
func (c *Chain) Watch() *Tried {
	if c.tried == nil {
		c.tried = new(Tried)
	}
	return c.tried
}

// Refuse says that the path which a search accepted fell all the same, by what
// somebody else asked of it: its subject or its revocation. Without such a path,
// and on a chain that is not watched, it does nothing.
func (c *Chain) Refuse(err error) {
	t := c.tried
	if t == nil || len(t.Attempts) == 0 {
		return
	}
	if last := &t.Attempts[len(t.Attempts)-1]; last.Err == nil {
		last.Err = err
	}
}

func (t *Tried) begin() {
	if t != nil {
		*t = Tried{reached: make(map[*x509.Certificate]bool)}
	}
}

// made counts the attempts so far.
func (t *Tried) made() int {
	if t == nil {
		return 0
	}
	return len(t.Attempts) + t.Omitted
}

// ended keeps that the path, with the certificates below it, ended with err.
func (t *Tried) ended(path []*x509.Certificate, err error, below ...*x509.Certificate) {
	if t == nil {
		return
	}
	attempt := Attempt{Certificates: slices.Concat(path, below), Err: err}
	switch {
	case len(t.Attempts) < MaxAttempts:
		t.Attempts = append(t.Attempts, attempt)
	case err == nil:
		t.Attempts[MaxAttempts-1] = attempt
		t.Omitted++
	default:
		t.Omitted++
	}
}

// otherKey keeps that the last certificate of the path has the name of the
// subject's issuer, and not its key.
func (t *Tried) otherKey(path []*x509.Certificate, subject *x509.Certificate) {
	if t == nil {
		return
	}
	issuer, keys := path[len(path)-1], ""
	if named, own := subject.AuthorityKeyId, issuer.SubjectKeyId; len(named) > 0 && len(own) > 0 && !slices.Equal(named, own) {
		keys = fmt.Sprintf(": the certificate asks for the key %s, that of this CA is %s", shownKey(named), shownKey(own))
	}
	t.ended(path, decision.Denyf(decision.PathNotFound, describe(subject), "%s has the name of its issuer, and its key did not make the signature%s", describe(issuer), keys), subject)
}

// shownKey is a key identifier, which is as long as somebody made it.
func shownKey(id []byte) string {
	if most := 20; len(id) > most {
		return hex.EncodeToString(id[:most]) + "…"
	}
	return hex.EncodeToString(id)
}

// left keeps that the search leaves a CA below which it made no attempt, of which
// there had been so many before.
func (t *Tried) left(path []*x509.Certificate, before int) {
	switch {
	case t == nil || t.made() > before:
	case len(path) > 1:
		t.ended(path, decision.Denyf(decision.PathNotFound, describe(path[len(path)-1]), "no name leads on from it but back to a CA above it"))
	case len(t.Idle) < MaxAttempts:
		t.Idle = append(t.Idle, path[0])
	default:
		t.OmittedIdle++
	}
}

// reach keeps that a signature leads to the certificate.
func (t *Tried) reach(certificate *x509.Certificate) {
	if t != nil {
		t.reached[certificate] = true
	}
}

// end keeps what was at hand for a search that found nothing, and led nowhere.
func (t *Tried) end(chain *Chain, anchors []*Anchor) {
	if t == nil {
		return
	}
	leading := chain.leading()
	for _, certificate := range append([]*x509.Certificate{chain.Leaf}, leading...) {
		if !chain.hasIssuer(certificate, anchors) && len(t.Missing) < MaxAttempts {
			t.Missing = append(t.Missing, certificate)
		}
	}
	for _, certificate := range chain.Intermediates {
		if t.reached[certificate] || stored(certificate, anchors) || len(t.Unused) == MaxAttempts {
			continue
		}
		t.Unused = append(t.Unused, Unused{certificate, whyUnused(certificate, leading)})
	}
}

// hasIssuer reports whether anything at hand is, by name, the issuer of the
// certificate; one that is its own looks for no other.
func (c *Chain) hasIssuer(certificate *x509.Certificate, anchors []*Anchor) bool {
	return c.selfIssued(certificate) ||
		slices.ContainsFunc(anchors, func(a *Anchor) bool { return c.named(a.Certificate, certificate) }) ||
		slices.ContainsFunc(c.leading(), func(ca *x509.Certificate) bool { return c.named(ca, certificate) })
}

// stored reports whether the certificate is one of the anchors: callers present
// their root, too, and nothing is wrong with that.
func stored(certificate *x509.Certificate, anchors []*Anchor) bool {
	return slices.ContainsFunc(anchors, func(a *Anchor) bool { return a.Certificate.Equal(certificate) })
}

func whyUnused(certificate *x509.Certificate, leading []*x509.Certificate) string {
	switch {
	case !isIssuer(certificate):
		return "it is no CA, or may not sign certificates"
	case !slices.Contains(leading, certificate):
		return "no names lead from it to the client's certificate"
	}
	return "no signature leads to it from a CA of the trust store"
}
