package policies

import (
	"cmp"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Hint is what names a client besides its certificate. Each field is a
// client_id or empty. Those that are set must agree.
type Hint struct {
	Route     string // clientId of the route
	Parameter string // client_id of a token request
	Token     string // client_id of a verified token of our own
}

// clientID returns the id on which the fields agree, "" if none is set.
func (h Hint) clientID() (string, error) {
	var named string
	for _, id := range []string{h.Route, h.Parameter, h.Token} {
		if id == "" || id == named {
			continue
		}
		if named != "" {
			return "", decision.Denyf(decision.ClientConflict, "client_id", "the request names both %.64q and %.64q", named, id)
		}
		named = id
	}
	return named, nil
}

// Resolve finds the client that the certificate may be judged by. A hint names
// it, unless others alone pin the certificate; otherwise the certificate does:
// first as a pin, then through the CAs whose signatures lead to it. Clients of
// every status are found, so that one that is off never gives way to another.
//
// The error is ClientUnknown, ClientAmbiguous, ClientConflict,
// AnchorSharedUnbound, SubjectMismatch, PathTooComplex or CertificateMalformed.
func (s *Snapshot) Resolve(chain *truststore.Chain, hint Hint, t *decision.Trace) (*Client, error) {
	id, err := hint.clientID()
	if err != nil {
		t.Fail(decision.StepResolve, "%v", err)
		return nil, err
	}
	var client *Client
	if id != "" {
		client, err = s.byID(id, hint.onlyRoute(), chain)
	} else {
		client, err = s.byCertificate(chain, t)
	}
	if err != nil {
		t.Fail(decision.StepResolve, "%v", err)
		return nil, err
	}
	if t.On() {
		t.Pass(decision.StepResolve, "client %s", client.id)
	}
	return client, nil
}

// onlyRoute reports that it is the operator's route that names the client, and not
// the caller.
func (h Hint) onlyRoute() bool { return h.Parameter == "" && h.Token == "" }

// byID finds the client of an id. A caller that names itself is judged by that
// client alone (RFC 8705 section 2). Where only the route names it, a certificate
// that others pin and it does not is theirs: the route does not take it from a
// client that is off.
func (s *Snapshot) byID(id string, onlyRoute bool, chain *truststore.Chain) (*Client, error) {
	client := s.Client(id)
	if client == nil {
		// The signatures that a known client's CAs would have to be asked about take
		// their time: without it, the time would tell which ids there are.
		_, _ = s.provingAuthorities(chain)
		return nil, decision.Denyf(decision.ClientUnknown, "client_id", "no client has the id %.64q", id)
	}
	if pinning := s.pinning(chain); onlyRoute && len(pinning) > 0 && !client.HasPin(chain.Thumbprint) {
		return nil, decision.Denyf(decision.ClientConflict, "client_id", "the route names %.64q, and the certificate is pinned by %s", id, names(pinning))
	}
	return client, nil
}

// pinning returns the clients whose pin the certificate is. It is theirs in its other
// encoding too, though that is accepted by no pin: otherwise a certificate of a client
// that is off could be written anew, to be another client's by its CA.
func (s *Snapshot) pinning(chain *truststore.Chain) []*Client {
	if pinning := s.PinnedBy(chain.Thumbprint); len(pinning) > 0 {
		return pinning
	}
	if twin, found := chain.Twin(); found {
		return s.PinnedBy(twin)
	}
	return nil
}

func (s *Snapshot) byCertificate(chain *truststore.Chain, t *decision.Trace) (*Client, error) {
	switch pinning := s.pinning(chain); len(pinning) {
	case 0:
	case 1:
		if t.On() {
			t.Note(decision.StepResolve, "the certificate is pinned by client %s", pinning[0].id)
		}
		return pinning[0], nil
	default:
		return nil, decision.Denyf(decision.ClientAmbiguous, "certificate", "pinned by %s", names(pinning))
	}
	return s.byAuthority(chain, t)
}

// byAuthority collects the clients that could accept the certificate by chain.
func (s *Snapshot) byAuthority(chain *truststore.Chain, t *decision.Trace) (*Client, error) {
	proving, err := s.provingAuthorities(chain)
	if err != nil {
		return nil, err
	}
	if len(proving) == 0 {
		return nil, decision.Denyf(decision.ClientUnknown, "certificate", "it is pinned by no client, and no client's CA issued it")
	}
	subjects, err := truststore.BindingKeys(chain.Leaf)
	if err != nil {
		return nil, err
	}
	var found candidates
	for _, authority := range proving {
		if t.On() {
			t.Note(decision.StepResolve, "issued under %q; clients that trust it: %d", truststore.NameOf(authority.anchors[0].Certificate), authority.holders)
		}
		for _, subject := range subjects {
			bound, _ := s.bound.get(boundKey(authority.id, subject))
			found.add(bound)
		}
		if s.requireBinding {
			found.unbound = found.unbound || len(authority.unbound) > 0
		} else if authority.holders == 1 || s.allowSharedAnchors {
			found.add(authority.unbound)
		} else if len(authority.unbound) > 0 {
			found.shared = true
		}
	}
	return found.only(proving, chain.Leaf)
}

// candidates are the clients that a certificate may belong to.
type candidates struct {
	clients []*Client
	shared  bool // one was passed over because others hold its anchor
	unbound bool // one was passed over because every client has to be bound
}

func (c *candidates) add(clients []*Client) {
	for _, client := range clients {
		if !slices.Contains(c.clients, client) {
			c.clients = append(c.clients, client)
		}
		if len(c.clients) > maxNamed {
			return // ambiguous already, and named enough
		}
	}
}

func (c *candidates) only(proving []*authority, leaf *x509.Certificate) (*Client, error) {
	switch {
	case len(c.clients) == 1:
		return c.clients[0], nil
	case len(c.clients) > 1:
		return nil, decision.Denyf(decision.ClientAmbiguous, "certificate", "accepted by %s", names(c.clients))
	case c.unbound:
		return nil, decision.Denyf(decision.SubjectMismatch, "certificate", "a client trusts its CA, but has neither tlsClientAuth nor spiffe, without which the profile accepts nobody by chain")
	case c.shared:
		return nil, decision.Denyf(decision.AnchorSharedUnbound, "certificate", "several clients trust its CA, and those without tlsClientAuth or spiffe cannot be told apart")
	case len(proving) == 1 && proving[0].holders == 1:
		return nil, decision.Denyf(decision.SubjectMismatch, "certificate", "the one client that trusts its CA is bound to another subject%s", noSVID(leaf))
	}
	return nil, decision.Denyf(decision.ClientUnknown, "certificate", "clients trust its CA, but none is bound to this subject%s", noSVID(leaf))
}

// noSVID says of a certificate that was meant to be an X509-SVID why it is none, and
// is no client's by SPIFFE.
func noSVID(leaf *x509.Certificate) string {
	if why := truststore.WhyNoSVID(leaf); why != "" {
		return "; it is no X509-SVID: " + why
	}
	return ""
}

// maxNamed bounds the clients that a denial names.
const maxNamed = 5

func names(clients []*Client) string {
	ids := make([]string, len(clients))
	for i, client := range clients {
		ids[i] = client.id
	}
	slices.Sort(ids)
	if len(ids) > maxNamed {
		ids = append(ids[:maxNamed], "others")
	}
	return strings.Join(ids, ", ")
}

// provingAuthorities returns the CAs of any client from which signatures lead
// to the leaf, through what was presented and through the CAs of clients.
func (s *Snapshot) provingAuthorities(chain *truststore.Chain) ([]*authority, error) {
	var proving []*authority
	for _, certificate := range chain.Certificates() {
		signers, err := s.signers(chain, certificate, chain.IssuerName(certificate), nil)
		if err != nil {
			return nil, err
		}
		for _, signer := range signers {
			if slices.Contains(proving, signer) {
				continue
			}
			_, leaf, err := chain.ProvenBy(signer.anchors[0].Anchor)
			if err != nil {
				return nil, err
			}
			if leaf {
				proving = append(proving, signer)
			}
		}
	}
	return s.withAbove(chain, proving)
}

// maxAbove bounds how many CAs lie above one another: real hierarchies have two
// or three.
const maxAbove = 8

// withAbove adds to the CAs those whose signatures lead to them, as far as
// clients have them. Who presents a certificate may leave out intermediates,
// but which clients it could belong to is not for him to choose.
func (s *Snapshot) withAbove(chain *truststore.Chain, proving []*authority) ([]*authority, error) {
	level := proving
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxAbove {
			return nil, decision.Denyf(decision.PathTooComplex, "certificate chain", "more than %d CAs above one another", maxAbove)
		}
		var above []*authority
		for _, below := range level {
			for _, held := range below.anchors {
				signers, err := s.signers(chain, held.Certificate, held.IssuerName(), below)
				if err != nil {
					return nil, err
				}
				above = appendNew(above, signers, proving)
			}
		}
		proving = append(proving, above...)
		level = above
	}
	return proving, nil
}

// appendNew appends those that are in neither list.
func appendNew(list, more, others []*authority) []*authority {
	for _, one := range more {
		if !slices.Contains(list, one) && !slices.Contains(others, one) {
			list = append(list, one)
		}
	}
	return list
}

// signers returns the CAs whose keys fit the certificate's signature, and whose
// name is that of its issuer: the first that is found, and the other that may be.
// For who may choose a key can make one that fits a given ECDSA signature, without
// being able to sign anything, and must not take the place of the CA that did.
// Which other key that is can be told ([truststore.Chain.OtherSigner]). So once there
// is one, no guess is worth a check but for RSA moduli that have multiples: a name is
// free to choose, and keys of that name would use up what the decision may cost.
// own, which may be nil, is the CA that the certificate is of.
func (s *Snapshot) signers(chain *truststore.Chain, certificate *x509.Certificate, issuer [32]byte, own *authority) ([]*authority, error) {
	if s.namesakes(issuer) && chain.SelfSigned(certificate) {
		return nil, nil // nobody else's: it need not be tried on all of them
	}
	var signers []*authority
	var weak error
	for likely := range s.likelySigners(issuer, certificate.AuthorityKeyId) {
		for _, id := range likely {
			authority, known := s.authority.get(id)
			if !known || authority == own || slices.Contains(signers, authority) || len(signers) > 0 && !mayFitBoth(signers[0], authority) {
				continue
			}
			signed, err := chain.Signed(authority.anchors[0].Anchor, certificate)
			if decision.ReasonOf(err) == decision.PathTooComplex {
				return nil, err
			}
			if signed {
				signers = append(signers, authority)
			}
			// A weak CA of the same name is no reason not to ask the next.
			weak = cmp.Or(weak, err)
		}
	}
	switch {
	case len(signers) == 1:
		return s.withOther(chain, certificate, issuer, signers[0])
	case len(signers) == 0 && certificate == chain.Leaf:
		return nil, weak
	}
	return signers, nil
}

// mayFitBoth reports whether one signature may fit the keys of both: that of one is a
// multiple of the other's.
func mayFitBoth(one, other *authority) bool {
	return one.anchors[0].HasMultiples() || other.anchors[0].HasMultiples()
}

// withOther adds the CA whose key would fit the signature as well, if there is one,
// wherever key identifiers lead.
func (s *Snapshot) withOther(chain *truststore.Chain, certificate *x509.Certificate, issuer [32]byte, signer *authority) ([]*authority, error) {
	if !s.namesakes(issuer) {
		return []*authority{signer}, nil
	}
	id, found, err := chain.OtherSigner(signer.anchors[0].Anchor, certificate)
	if err != nil {
		return nil, err
	}
	other, known := s.authority.get(id)
	if !found || !known {
		return []*authority{signer}, nil
	}
	signed, err := chain.Signed(other.anchors[0].Anchor, certificate)
	if err != nil {
		return nil, err
	}
	if signed {
		return []*authority{signer, other}, nil
	}
	return []*authority{signer}, nil
}
