package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// member is one "name: value" with the line on which it stands.
type member struct {
	name  string
	line  int
	from  int // the line on which the value begins
	value json.RawMessage
	// surplus is true of a member that may not be there, since it stands there
	// a second time or cannot be read: the document has a fault for it, and it
	// counts only as far as it speaks against the client.
	surplus bool
}

// reader turns the members of one document into a Client.
type reader struct {
	doc         Document
	idGiven     bool // even if it is no good
	method      AuthMethod
	mode        Mode
	binding     truststore.Binding
	spiffe      truststore.Binding
	loose       looseEnds
	lifetime    uint32
	defaults    []string
	scope       []string
	audience    []string
	introspects []string
	policies    []string
	profile     truststore.Profile
	profileSet  bool
	grants      []string
	revocation  *Revocation // nil asks nothing
	// revocationLine is where it stands.
	revocationLine int
}

// nameByFile takes the client_id of a lone document without one from the
// file's name.
func (r *reader) nameByFile(file string) *Fault {
	base := path.Base(file)
	id := strings.TrimSuffix(base, path.Ext(base))
	if !ValidID(id) {
		return &Fault{Field: "id", Problem: "is missing, and the file's name is no client id: 1 to 64 of A-Z a-z 0-9 . -"}
	}
	r.doc.ID = id
	return nil
}

// read takes one member. The returned Fault has only Field, of what lies
// inside the member, and Problem.
func (r *reader) read(m member) *Fault {
	switch m.name {
	case "resourceType":
		return expectText(m.value, "ClientApplication")
	case "id":
		return r.readID(m.value)
	case "status":
		return r.readStatus(m.value)
	case "name":
		return readText(m.value, &r.doc.Name)
	case "certificateTrustStore":
		return r.readTrustStore(m)
	case "tokenEndpointAuthMethod":
		return r.readMethod(m.value)
	case "tlsClientAuth":
		return r.readTLSClientAuth(m.value)
	case "spiffe":
		return r.readSPIFFE(m.value)
	case "defaultScope":
		return readScopes(m.value, &r.defaults)
	case "scope":
		return readScopes(m.value, &r.scope)
	case "audience":
		return readAudience(m.value, &r.audience)
	case "introspects":
		return readAudience(m.value, &r.introspects)
	case "certificatePolicies":
		return readPolicies(m.value, &r.policies)
	case "certificateProfile":
		return r.readProfile(m.value)
	case "grantType":
		return readTexts(m.value, &r.grants)
	case "accessTokenLifetime":
		return r.readLifetime(m)
	case "tlsClientCertificateBoundAccessTokens":
		return readBound(m.value)
	case "mode":
		return r.readMode(m.value)
	case "revocation":
		return r.readRevocation(m)
	case "rules":
		return &Fault{Problem: "is not available in this version: the client would not be held to it"}
	}
	return readForeign(m)
}

func (r *reader) readID(value json.RawMessage) *Fault {
	r.idGiven = true
	var id string
	if fault := readText(value, &id); fault != nil {
		return fault
	}
	if !ValidID(id) {
		return &Fault{Problem: "is no client id: 1 to 64 of A-Z a-z 0-9 . -"}
	}
	r.doc.ID, r.doc.OwnID = id, true
	return nil
}

// ValidID reports whether id has the form of a client_id, `[A-Za-z0-9.-]{1,64}`.
func ValidID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func (r *reader) readStatus(value json.RawMessage) *Fault {
	var code string
	if fault := readText(value, &code); fault != nil {
		r.saysStatus(StatusOff)
		return fault
	}
	for _, status := range Statuses() {
		if code == status.String() {
			r.saysStatus(status)
			return nil
		}
	}
	r.saysStatus(StatusOff)
	return &Fault{Problem: "is none of active, off, error"}
}

// saysStatus takes one of the statuses that the document has: off before error
// before active.
func (r *reader) saysStatus(status Status) {
	if !r.doc.HasStatus || r.doc.Status == StatusActive || status == StatusOff {
		r.doc.Status, r.doc.HasStatus = status, true
	}
}

func (r *reader) readTrustStore(m member) *Fault {
	var text string
	if fault := readText(m.value, &text); fault != nil {
		return fault
	}
	entries, err := truststore.Parse([]byte(text))
	if err != nil {
		fault := &Fault{Problem: err.Error()}
		errors.As(err, &fault.Block)
		return fault
	}
	r.doc.TrustStore = entries
	return nil
}

func (r *reader) readMethod(value json.RawMessage) *Fault {
	var method string
	if fault := readText(value, &method); fault != nil {
		return fault
	}
	for _, known := range []AuthMethod{SelfSignedTLSClientAuth, TLSClientAuth} {
		if method == known.String() {
			r.method = known
			return nil
		}
	}
	return &Fault{Problem: "is none of self_signed_tls_client_auth, tls_client_auth"}
}

func (r *reader) readLifetime(m member) *Fault {
	var text string
	if fault := readText(m.value, &text); fault != nil {
		return fault
	}
	lifetime, warning, err := parseLifetime(text)
	if err != nil {
		return &Fault{Problem: err.Error()}
	}
	if warning != "" {
		r.doc.Warnings = append(r.doc.Warnings, Fault{Line: m.line, Field: m.name, Problem: warning})
	}
	r.lifetime = uint32(lifetime.Seconds())
	return nil
}

// readBound takes RFC 8705 section 3.4's wish for bound tokens, which all clients
// have fulfilled: the opposite cannot be.
func readBound(value json.RawMessage) *Fault {
	switch string(bytes.TrimSpace(value)) {
	case "true":
		return nil
	case "false":
		return &Fault{Problem: "is false, and every token is bound to its client's certificate: leave it out"}
	}
	return &Fault{Problem: "is neither true nor false"}
}

func (r *reader) readMode(value json.RawMessage) *Fault {
	var word string
	if fault := readText(value, &word); fault != nil {
		return fault
	}
	for _, mode := range []Mode{ModeEnforce, ModeShadow} {
		if word == mode.String() {
			r.mode = mode
			return nil
		}
	}
	problem := "is none of enforce, shadow"
	if word == revocation.Soft.String() || word == revocation.Hard.String() {
		problem += `; the mode of revocations stands in revocation, as {"mode": "` + word + `"}`
	}
	return &Fault{Problem: problem}
}

// complete checks what no single member shows.
func (r *reader) complete(resourceType bool) *Fault {
	switch {
	case !resourceType:
		return &Fault{Field: "resourceType", Problem: "is missing: a document is a ClientApplication"}
	case r.doc.ID == "":
		return &Fault{Field: "id", Problem: "is missing: only a document alone in its file takes the file's name"}
	case !r.binding.IsZero() && !r.spiffe.IsZero():
		return &Fault{Field: "spiffe", Problem: "stands beside tlsClientAuth: a client is bound to one subject"}
	case r.method == TLSClientAuth && r.bound().IsZero():
		return &Fault{Field: "tlsClientAuth", Problem: "is missing: tls_client_auth binds the client to a subject (RFC 8705 2.1.2), or to SPIFFE workloads by spiffe"}
	case r.method == SelfSignedTLSClientAuth && !r.spiffe.IsZero():
		return &Fault{Field: "spiffe", Problem: "has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"}
	case r.method == SelfSignedTLSClientAuth && !r.binding.IsZero():
		return &Fault{Field: "tlsClientAuth", Problem: "has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"}
	case r.method == SelfSignedTLSClientAuth && len(r.policies) > 0:
		return &Fault{Field: "certificatePolicies", Problem: "has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"}
	case r.method == SelfSignedTLSClientAuth && r.profileSet:
		return &Fault{Field: "certificateProfile", Problem: "has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"}
	case r.method == SelfSignedTLSClientAuth && r.revocation != nil && r.revocation.Mode != revocation.Off:
		return &Fault{Field: "revocation", Problem: "has no meaning with self_signed_tls_client_auth, which trusts no CA that could take a certificate back"}
	}
	if extra := beyond(r.defaults, r.scope); len(r.scope) > 0 && extra >= 0 {
		return &Fault{Field: "defaultScope", Problem: fmt.Sprintf("value %d is not in scope", extra+1)}
	}
	if !r.doc.HasStatus {
		r.doc.Status = StatusActive
	}
	return nil
}

// beyond returns the index of the first scope asked that is not in most, or -1.
func beyond(asked, most []string) int {
	return slices.IndexFunc(asked, func(scope string) bool { return !slices.Contains(most, scope) })
}

// client makes the record of a document without faults.
func (r *reader) client() *Client {
	c := &Client{id: strings.Clone(r.doc.ID), status: r.doc.Status, method: r.method}
	c.otherGrants = len(r.grants) > 0 && !slices.Contains(r.grants, "client_credentials")
	more := clientExtra{binding: r.bound(), defaultScope: r.defaults, scope: r.scope, audience: r.audience, introspects: r.introspects, policies: r.policies, profile: r.profile, mode: r.mode, revocation: r.revocation}
	if r.lifetime != uint32(DefaultAccessTokenLifetime.Seconds()) {
		more.lifetime = r.lifetime
	}
	c.more = &more // pins go there
	for _, entry := range r.doc.TrustStore {
		if r.method != TLSClientAuth && !c.HasPin(entry.Thumbprint) {
			c.addPin(entry.Thumbprint, endOf(entry.Certificate))
		}
		if r.method != SelfSignedTLSClientAuth && entry.IsAnchor() && !hasAnchor(more.anchors, entry.Thumbprint) {
			more.anchors = append(more.anchors, truststore.NewAnchor(entry))
		}
	}
	c.more = nil
	if len(more.pins)+len(more.anchors)+len(more.defaultScope)+len(more.scope)+len(more.audience)+len(more.introspects)+len(more.policies) > 0 || !more.binding.IsZero() || more.profile != truststore.Strict || more.mode != ModeUnsaid || more.revocation != nil || more.lifetime != 0 {
		c.more = &more
	}
	return c
}

func hasAnchor(anchors []*truststore.Anchor, thumbprint Thumbprint) bool {
	return slices.ContainsFunc(anchors, func(a *truststore.Anchor) bool { return a.Thumbprint == thumbprint })
}
