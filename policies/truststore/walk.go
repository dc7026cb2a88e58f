package truststore

import (
	"cmp"
	"crypto/x509"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// maxPathSteps bounds how often a decision puts one certificate below another
// while it looks for a path. CAs that sign each other make more paths than can be
// followed, and so do renewals of one anchor; real ones make a handful. A step
// costs up to 20 µs beside its signature.
const maxPathSteps = 100

// walk looks for a path from an anchor down to the leaf, depth first. Nothing is
// asked of a certificate before a signature leads to it, and only those are
// looked at from which names lead to the leaf.
type walk struct {
	chain *Chain
	terms Terms
	cas   []*x509.Certificate // those presented from which names lead to the leaf
	path  []*x509.Certificate // from the anchor down

	// What paths fell for: at the leaf, or on the way, or for a signature that
	// was not looked at.
	atLeaf, onTheWay, unlooked error

	tried *Tried // nil: nobody asks
}

func newWalk(chain *Chain, terms Terms) *walk {
	return &walk{chain: chain, terms: terms, cas: chain.leading(), tried: chain.tried}
}

// from tries everything below the anchor. The path is nil if none is good; the
// error is PathTooComplex and ends the search.
func (w *walk) from(anchor *Anchor) (Path, error) {
	w.chain.folded[anchor.Certificate] = anchor.names
	return w.down(anchor.Certificate, func() (state, error) { return begin(w.chain, w.terms, anchor.Certificate) })
}

// down tries everything that the issuer may have signed. through says what the
// issuer's certificate allows below it, and is asked only once it has signed
// something.
func (w *walk) down(issuer *x509.Certificate, through func() (state, error)) (Path, error) {
	w.path = append(w.path, issuer)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	before := w.tried.made()
	var allowed *state
	for i := -1; i < len(w.cas); i++ {
		subject := w.chain.Leaf
		if i >= 0 {
			subject = w.cas[i]
		}
		if signed, err := w.step(issuer, subject); err != nil {
			return nil, err
		} else if !signed {
			continue
		}
		if allowed == nil {
			first, err := through()
			if err != nil {
				return nil, w.fell(&w.onTheWay, err)
			}
			allowed = &first
		}
		if path, err := w.enter(*allowed, subject); path != nil || err != nil {
			return path, err
		}
	}
	w.tried.left(w.path, before)
	return nil, nil
}

func (w *walk) enter(allowed state, subject *x509.Certificate) (Path, error) {
	if subject != w.chain.Leaf {
		return w.down(subject, func() (state, error) { return allowed.through(subject) })
	}
	if err := allowed.accept(subject); err != nil {
		return nil, w.fell(&w.atLeaf, err, subject)
	}
	w.tried.ended(w.path, nil, subject)
	path := append(Path{subject}, w.path...)
	slices.Reverse(path[1:])
	return path, nil
}

// step reports whether the issuer signed the subject, and the subject is of no
// CA that is on the path already. The error is PathTooComplex.
func (w *walk) step(issuer, subject *x509.Certificate) (bool, error) {
	if !w.chain.named(issuer, subject) {
		return false, nil
	}
	if subject != w.chain.Leaf && slices.ContainsFunc(w.path, func(c *x509.Certificate) bool { return w.chain.sameEntity(c, subject) }) {
		return false, nil
	}
	if w.chain.steps++; w.chain.steps > maxPathSteps {
		return false, w.fell(&w.unlooked, decision.Denyf(decision.PathTooComplex, "certificate chain", "more than %d steps in search of a path", maxPathSteps), subject)
	}
	if err := w.chain.work.spend(stepWork, maxWork); err != nil {
		return false, w.fell(&w.unlooked, err, subject)
	}
	signed, err := w.chain.signed(issuer, subject)
	switch {
	case err != nil:
		return false, w.fell(&w.unlooked, err, subject)
	case signed:
		w.tried.reach(subject)
	case onlyPSS(issuer) && isPSS(subject.SignatureAlgorithm): // its key may have made the signature, and is not read
		return false, w.fell(&w.unlooked, checkKey(issuer), subject)
	default:
		w.tried.otherKey(w.path, subject)
	}
	return signed, nil
}

// fell keeps the first reason of its kind, and returns one that ends the search:
// PathTooComplex, if too many have fallen by now.
// below is the certificate under the path at which it fell, if the path itself is
// not at fault.
func (w *walk) fell(kind *error, err error, below ...*x509.Certificate) error {
	w.tried.ended(w.path, err, below...)
	if decision.ReasonOf(err) == decision.PathTooComplex {
		return err
	}
	*kind = cmp.Or(*kind, err)
	return w.chain.work.spend(fallWork, maxWork)
}

// why is the reason to refuse that says most.
func (w *walk) why(anchors int) error {
	return cmp.Or(w.atLeaf, w.onTheWay, w.unlooked,
		error(decision.Denyf(decision.PathNotFound, describe(w.chain.Leaf), "no signature leads to it from %s of the trust store", plural(anchors, "CA"))))
}
