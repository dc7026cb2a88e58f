package policies

import (
	"fmt"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Accepted is a certificate that the client's trust store accepts.
type Accepted struct {
	// Path leads from the certificate to the anchor; a pinned one is alone.
	Path truststore.Path
	// Until is the moment from which the judgement no longer holds: the
	// earliest notAfter on the path, or the end of what is known of revocations.
	Until time.Time
	// TokensUntil is the end of a token that rests on the judgement. It is Until,
	// but in soft mode the end of what is known of revocations does not end tokens:
	// the client is let in after it too.
	TokensUntil time.Time
	// Pinned is true if the certificate itself is in the store.
	Pinned bool
	// Asked is what revocation was asked about: Path, and on from its end the CAs
	// of the store that issued one another. nil in mode off.
	Asked truststore.Path
	// Revocation is what is known of that.
	Revocation revocation.Verdict
	// Names are those of the certificates that were asked about, for a token that
	// rests on them: see [Client.Revoked].
	Names []string
}

// Judge decides whether the client's own trust store accepts the certificate
// at the given time, and none of it is revoked as far as view knows. s is the
// Snapshot that the client is of: whether an anchor is shared shows only there.
//
// The error is a *decision.Denial: ClientInactive, CertificateNotPinned,
// AnchorSharedUnbound, SubjectMismatch, or what truststore.CheckLeaf,
// truststore.Verify and [revocation.View.Judge] return. Beside a refusal by
// revocation stands what was asked about, in Asked, and nothing else: the times are
// zero, so that it holds at no moment.
func (c *Client) Judge(s *Snapshot, chain *truststore.Chain, view *revocation.View, at time.Time, t *decision.Trace) (Accepted, error) {
	accepted, err := c.judge(s, chain, at)
	if err == nil {
		accepted, err = c.unrevoked(chain, accepted, view, at)
	}
	if err != nil {
		chain.Refuse(err)
		t.Fail(decision.StepJudge, "%v", err)
		return Accepted{Asked: accepted.Asked}, err
	}
	if t.On() {
		t.Pass(decision.StepJudge, "%s, until %s%s", c.howAccepted(accepted), accepted.Until.UTC().Format(time.RFC3339), howKnown(accepted))
	}
	return accepted, nil
}

// unrevoked asks about the path. Where it ends, at a certificate that is trusted
// itself, it goes on over those of the client's CAs that issued that one: whether an
// intermediate was taken back must not hang on whether it is also in the store, nor
// on whether the caller presents it.
func (c *Client) unrevoked(chain *truststore.Chain, a Accepted, view *revocation.View, at time.Time) (Accepted, error) {
	policy := c.revocationPolicy()
	if policy.Mode == revocation.Off {
		return a, nil
	}
	var err error
	if a.Asked, err = revocation.Onward(chain, a.Path, c.extra().anchors); err != nil {
		return a, err
	}
	if a.Revocation, err = view.JudgeWithin(chain.Work(), a.Asked, policy, at); err != nil {
		return a, err
	}
	for _, name := range revocation.NamesOf(a.Asked) {
		a.Names = append(a.Names, name.String())
	}
	if end := a.Revocation.Until; !end.IsZero() && end.Before(a.Until) {
		a.Until = end
		if policy.Mode != revocation.Soft {
			a.TokensUntil = end
		}
	}
	return a, nil
}

// howKnown is what is known of revocations, in words, "" where nobody asked.
func howKnown(a Accepted) string {
	if a.Revocation.Status == revocation.Unchecked {
		return ""
	}
	how := "; revocation " + a.Revocation.Status.String()
	if len(a.Revocation.Missing) > 0 {
		how += fmt.Sprintf(": %v", a.Revocation.Missing[0])
	}
	return how
}

func (c *Client) howAccepted(a Accepted) string {
	if !a.Pinned {
		return "accepted by chain"
	}
	if c.method == AnyTLSMethod && (truststore.Entry{Certificate: a.Path[0]}).IsAnchor() {
		return "pinned; it is a CA and also issues for this client"
	}
	return "pinned"
}

func (c *Client) judge(s *Snapshot, chain *truststore.Chain, at time.Time) (Accepted, error) {
	if c.status != StatusActive {
		return Accepted{}, c.denyInactive()
	}
	if err := truststore.CheckLeaf(chain.Leaf, at); err != nil {
		return Accepted{}, err
	}
	if c.HasPin(chain.Thumbprint) {
		return acceptedBy(truststore.Path{chain.Leaf}, true), nil
	}
	if len(c.extra().anchors) == 0 {
		return Accepted{}, decision.Denyf(decision.CertificateNotPinned, "client "+c.id, "the certificate is none of its %d pinned ones%s, and it trusts no CA", len(c.Pins()), c.orTwin(chain))
	}
	path, err := c.byChain(s, chain, at)
	if err != nil {
		return Accepted{}, err
	}
	return acceptedBy(path, false), nil
}

// orTwin says so where the certificate is a pinned one but for its signature.
func (c *Client) orTwin(chain *truststore.Chain) string {
	if twin, found := chain.Twin(); found && c.HasPin(twin) {
		return ", of which it is one with another signature"
	}
	return ""
}

func acceptedBy(path truststore.Path, pinned bool) Accepted {
	return Accepted{Path: path, Until: path.Until(), TokensUntil: path.Until(), Pinned: pinned}
}

func (c *Client) denyInactive() error {
	if c.IsRemnant() {
		return decision.Denyf(decision.ClientInactive, "client "+c.id, "its document has a fault, or another one has its id, and no good version of it is known")
	}
	return decision.Denyf(decision.ClientInactive, "client "+c.id, "its status is %s", c.status)
}

// Terms returns what the client's document asks of certificates that are accepted
// by chain, at the given time.
func (c *Client) Terms(at time.Time) truststore.Terms {
	return truststore.Terms{At: at, Policies: c.extra().policies, Profile: c.extra().profile}
}

func (c *Client) byChain(s *Snapshot, chain *truststore.Chain, at time.Time) (truststore.Path, error) {
	anchors := c.extra().anchors
	var usable []*truststore.Anchor
	for _, anchor := range anchors {
		if s.mayChain(c, anchor) {
			usable = append(usable, anchor)
		}
	}
	terms := c.Terms(at)
	path, err := terms.Verify(chain, usable)
	if err != nil {
		return nil, c.explainUnbound(s, chain, usable, terms, err)
	}
	if err := c.Binding().Check(chain.Leaf); err != nil {
		return nil, err
	}
	return path, nil
}

// explainUnbound says so if the path fell only because the client has no binding.
func (c *Client) explainUnbound(s *Snapshot, chain *truststore.Chain, usable []*truststore.Anchor, terms truststore.Terms, err error) error {
	anchors := c.extra().anchors
	if len(usable) == len(anchors) || decision.ReasonOf(err) != decision.PathNotFound {
		return err
	}
	if _, otherErr := terms.Verify(chain, anchors); otherErr != nil {
		return otherErr
	}
	if s.requireBinding {
		return decision.Denyf(decision.SubjectMismatch, "client "+c.id, "it has neither tlsClientAuth nor spiffe, and the profile accepts nobody by chain without")
	}
	return decision.Denyf(decision.AnchorSharedUnbound, "client "+c.id, "other clients trust the CA too: bind this one with tlsClientAuth or spiffe")
}
