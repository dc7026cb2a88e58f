package policies

import (
	"time"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Accepted is a certificate that the client's trust store accepts.
type Accepted struct {
	// Path leads from the certificate to the anchor; a pinned one is alone.
	Path truststore.Path
	// Until is the moment from which the judgement no longer holds: the
	// earliest notAfter on the path.
	Until time.Time
	// Pinned is true if the certificate itself is in the store.
	Pinned bool
}

// Judge decides whether the client's own trust store accepts the certificate
// at the given time. s is the Snapshot that the client is of: whether an
// anchor is shared shows only there.
//
// The error is a *decision.Denial: ClientInactive, CertificateNotPinned,
// AnchorSharedUnbound, SubjectMismatch, or what truststore.CheckLeaf and
// truststore.Verify return.
func (c *Client) Judge(s *Snapshot, chain *truststore.Chain, at time.Time, t *decision.Trace) (Accepted, error) {
	accepted, err := c.judge(s, chain, at)
	if err != nil {
		chain.Refuse(err)
		t.Fail(decision.StepJudge, "%v", err)
		return Accepted{}, err
	}
	if t.On() {
		t.Pass(decision.StepJudge, "%s, until %s", c.howAccepted(accepted), accepted.Until.UTC().Format(time.RFC3339))
	}
	return accepted, nil
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
		return Accepted{Path: truststore.Path{chain.Leaf}, Until: chain.Leaf.NotAfter, Pinned: true}, nil
	}
	if len(c.extra().anchors) == 0 {
		return Accepted{}, decision.Denyf(decision.CertificateNotPinned, "client "+c.id, "the certificate is none of its %d pinned ones, and it trusts no CA", len(c.Pins()))
	}
	path, err := c.byChain(s, chain, at)
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{Path: path, Until: path.Until()}, nil
}

func (c *Client) denyInactive() error {
	if c.IsRemnant() {
		return decision.Denyf(decision.ClientInactive, "client "+c.id, "its document has a fault, or another one has its id, and no good version of it is known")
	}
	return decision.Denyf(decision.ClientInactive, "client "+c.id, "its status is %s", c.status)
}

func (c *Client) byChain(s *Snapshot, chain *truststore.Chain, at time.Time) (truststore.Path, error) {
	anchors := c.extra().anchors
	var usable []*truststore.Anchor
	for _, anchor := range anchors {
		if s.mayChain(c, anchor) {
			usable = append(usable, anchor)
		}
	}
	terms := truststore.Terms{At: at, Policies: c.extra().policies}
	path, err := terms.Verify(chain, usable)
	if err != nil {
		return nil, c.explainUnbound(s, chain, usable, at, err)
	}
	if err := c.Binding().Check(chain.Leaf); err != nil {
		return nil, err
	}
	return path, nil
}

// explainUnbound says so if the path fell only because the client has no binding.
func (c *Client) explainUnbound(s *Snapshot, chain *truststore.Chain, usable []*truststore.Anchor, at time.Time, err error) error {
	anchors := c.extra().anchors
	if len(usable) == len(anchors) || decision.ReasonOf(err) != decision.PathNotFound {
		return err
	}
	if _, otherErr := (truststore.Terms{At: at, Policies: c.extra().policies}).Verify(chain, anchors); otherErr != nil {
		return otherErr
	}
	if s.requireBinding {
		return decision.Denyf(decision.SubjectMismatch, "client "+c.id, "it has no tlsClientAuth, and the profile accepts nobody by chain without")
	}
	return decision.Denyf(decision.AnchorSharedUnbound, "client "+c.id, "other clients trust the CA too: bind this one with tlsClientAuth")
}
