package policies

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// MaxFileBytes bounds one file of documents.
const MaxFileBytes = 64 << 20

// Document is one ClientApplication as it was read.
type Document struct {
	// Client is the record, nil if the document has a fault.
	Client *Client
	// Remnant is what the document claims in spite of its fault, nil if it has
	// none: see the function [Remnant].
	Remnant *Client
	// ID and Status are what could be read, whether or not the rest could:
	// a document that is broken and says off still turns its client off. Of
	// several statuses the one that is not active counts, and one that is
	// there and is no status counts as off: a client must not stay active
	// because nobody can read that it is not.
	ID         string
	OwnID      bool // the id stands in the document and is not the file's name
	Status     Status
	HasStatus  bool
	Name       string // for people
	TrustStore []truststore.Entry
	Warnings   []Fault
	Fault      *Fault
	lines      []fieldLine
}

// fieldLine is where a field stands.
type fieldLine struct {
	name string
	line int
}

// LineOf returns the line on which a field of the document stands, from 1 within
// its file; 0 if the document has none of the name.
func (d *Document) LineOf(field string) int {
	for _, f := range d.lines {
		if f.name == field {
			return f.line
		}
	}
	return 0
}

// Fault is what is wrong with a document, and where.
type Fault struct {
	File     string
	Line     int // from 1; 0 if not known
	Document int // from 1 within the file
	ClientID string
	Field    string
	Problem  string
	// Block is the PEM block of a certificateTrustStore that is the problem, nil if
	// it is something else.
	Block *truststore.BlockError
}

// Error returns "file:line: document n (client id): field: problem", leaving
// out what is not known.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Document > 0 {
		fmt.Fprintf(&b, ": document %d", f.Document)
	}
	if f.ClientID != "" {
		fmt.Fprintf(&b, " (client %s)", f.ClientID)
	}
	if f.Field != "" {
		fmt.Fprintf(&b, ": %s", f.Field)
	}
	fmt.Fprintf(&b, ": %s", f.Problem)
	return b.String()
}

// ParseFile reads the documents of one file: JSON if the name ends in .json,
// YAML if it ends in .yaml or .yml; several of them one after the other, in
// YAML between lines of "---". A JSON file may also hold an array of them or a
// FHIR Bundle, as an export does.
//
// Each document is read for itself: the fault of one does not touch the
// others. The error says that the file as such cannot be split into documents,
// and the documents before the place are returned with it. A file that holds
// none, and a YAML file whose last line does not end, are such faults: a write
// may have been broken off.
func ParseFile(name string, data []byte) ([]Document, error) {
	raws, err := splitFile(name, data)
	documents := make([]Document, len(raws))
	for i, raw := range raws {
		alone := len(raws) == 1 && (err == nil || raw.fault != nil)
		documents[i] = parseDocument(name, i+1, alone, raw)
	}
	return documents, err
}

// splitFile splits a file into its documents.
func splitFile(name string, data []byte) (raws []rawDocument, err error) {
	if len(data) > MaxFileBytes {
		return nil, &Fault{File: name, Problem: fmt.Sprintf("the file has more than %d bytes", MaxFileBytes)}
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		raws, err = splitJSON(name, data)
	case ".yaml", ".yml":
		raws, err = splitYAML(name, data)
	default:
		return nil, &Fault{File: name, Problem: "documents are files named .json, .yaml or .yml"}
	}
	if err == nil && len(raws) == 0 {
		err = &Fault{File: name, Problem: "holds no document: to remove its clients, remove the file"}
	}
	return raws, err
}

// rawDocument is a document split into its members; fault is set if it could
// not be split to the end.
type rawDocument struct {
	line    int
	members []member
	fault   *Fault
}

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
	bindingSet  bool
	spiffe      truststore.Binding
	spiffeSet   bool
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

func parseDocument(file string, number int, alone bool, raw rawDocument) Document {
	var r reader
	fault := raw.fault
	var resourceType bool
	r.doc.lines = make([]fieldLine, 0, len(raw.members))
	for _, m := range raw.members {
		r.doc.lines = append(r.doc.lines, fieldLine{m.name, m.line})
		if m.surplus {
			r.readSurplus(m)
			continue
		}
		if m.name == "resourceType" {
			resourceType = true
		}
		if problem := r.read(m); problem != nil {
			problem.Line, problem.Field = m.line, fieldOf(m.name, problem.Field)
			if fault == nil {
				fault = problem
			}
			r.readSurplus(m)
		}
	}
	if alone && !r.idGiven {
		fault = cmp.Or(fault, r.nameByFile(file))
	}
	if fault == nil {
		fault = r.complete(resourceType)
	}
	if fault == nil {
		r.doc.Client = r.client()
		r.warnOfNobody()
	} else {
		r.doc.Remnant = r.remnant()
	}
	r.doc.place(file, number, raw.line, fault)
	return r.doc
}

// place completes the fault and the warnings with where the document is.
func (d *Document) place(file string, number, line int, fault *Fault) {
	for i := range d.Warnings {
		w := &d.Warnings[i]
		w.File, w.Document, w.ClientID = file, number, d.ID
	}
	if fault == nil {
		return
	}
	fault.File, fault.Document, fault.ClientID = file, number, d.ID
	if fault.Line == 0 {
		fault.Line = line
	}
	d.Fault = fault
}

func fieldOf(member, inner string) string {
	if inner == "" {
		return shownName(member)
	}
	return shownName(member) + "." + shownName(inner)
}

// shownName returns a field's name if it has the form of one. What else stands
// in a name's place may be anything, a secret or a line break included, and the
// line says where it is.
func shownName(name string) string {
	word := strings.TrimPrefix(name, "_")
	for _, c := range []byte(word) {
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') {
			return "a field"
		}
	}
	if word == "" || len(word) > 64 {
		return "a field"
	}
	return name
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
		return r.readBinding(m.value)
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

// readBinding holds to RFC 8705 2.1.2: exactly one of the five.
func (r *reader) readBinding(value json.RawMessage) *Fault {
	members, fault := membersOf(value, `{"subjectDn": "CN=client,O=Example"}`)
	if fault != nil {
		return fault
	}
	for _, m := range members {
		kind := bindingKind(m.name)
		if kind == truststore.NoBinding {
			return &Fault{Field: m.name, Problem: "is not known: one of subjectDn, sanDns, sanUri, sanIp, sanEmail"}
		}
		if r.bindingSet {
			return &Fault{Field: m.name, Problem: "a client is bound to one subject: keep one of the fields (RFC 8705 2.1.2)"}
		}
		var text string
		if fault := readText(m.value, &text); fault != nil {
			fault.Field = m.name
			return fault
		}
		binding, err := truststore.ParseBinding(kind, text)
		if err != nil {
			return &Fault{Problem: err.Error()}
		}
		r.binding, r.bindingSet = binding, true
	}
	return nil
}

func bindingKind(field string) truststore.BindingKind {
	return kindOf(field, truststore.SubjectDN, truststore.SANDNS, truststore.SANURI, truststore.SANIP, truststore.SANEmail)
}

// kindOf returns the one of the kinds that the field has, NoBinding if it has none.
func kindOf(field string, kinds ...truststore.BindingKind) truststore.BindingKind {
	if i := slices.IndexFunc(kinds, func(kind truststore.BindingKind) bool { return field == kind.String() }); i >= 0 {
		return kinds[i]
	}
	return truststore.NoBinding
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
	return &Fault{Problem: "is none of enforce, shadow"}
}

// complete checks what no single member shows.
func (r *reader) complete(resourceType bool) *Fault {
	switch {
	case !resourceType:
		return &Fault{Field: "resourceType", Problem: "is missing: a document is a ClientApplication"}
	case r.doc.ID == "":
		return &Fault{Field: "id", Problem: "is missing: only a document alone in its file takes the file's name"}
	case r.bindingSet && r.spiffeSet:
		return &Fault{Field: "spiffe", Problem: "stands beside tlsClientAuth: a client is bound to one subject"}
	case r.method == TLSClientAuth && !r.bindingSet && !r.spiffeSet:
		return &Fault{Field: "tlsClientAuth", Problem: "is missing: tls_client_auth binds the client to a subject (RFC 8705 2.1.2), or to SPIFFE workloads by spiffe"}
	case r.method == SelfSignedTLSClientAuth && r.spiffeSet:
		return &Fault{Field: "spiffe", Problem: "has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"}
	case r.method == SelfSignedTLSClientAuth && r.bindingSet:
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

// disabled is the record of a client whose document is broken and says off.
func disabled(id string) *Client { return &Client{id: strings.Clone(id), status: StatusOff} }

func expectText(value json.RawMessage, want string) *Fault {
	var text string
	if fault := readText(value, &text); fault != nil {
		return fault
	}
	if text != want {
		return &Fault{Problem: fmt.Sprintf("is not %s", want)}
	}
	return nil
}

// readText never quotes the value: it may be a secret in the wrong place.
func readText(value json.RawMessage, into *string) *Fault {
	if !bytes.HasPrefix(value, []byte(`"`)) || json.Unmarshal(value, into) != nil {
		return &Fault{Problem: "is not a string"}
	}
	return nil
}

func readTexts(value json.RawMessage, into *[]string) *Fault {
	var raws []json.RawMessage
	if !bytes.HasPrefix(value, []byte("[")) || json.Unmarshal(value, &raws) != nil {
		return &Fault{Problem: "is not a list of strings"}
	}
	texts := make([]string, len(raws))
	for i, raw := range raws {
		if readText(raw, &texts[i]) != nil {
			return &Fault{Problem: "is not a list of strings"}
		}
	}
	*into = texts
	return nil
}

var errNotObject = errors.New("is not an object")
