package policies

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/truststore"
)

// bindingField is a field of the document that binds the client to one subject, which
// is one of its members.
type bindingField struct {
	such  string // an example
	kinds []truststore.BindingKind
	kind  func(member string) string // what the kind of a member is called
	known string                     // what the members are
	one   string                     // why there is one
}

var (
	// tlsClientAuth holds to RFC 8705 2.1.2: exactly one of the five.
	tlsClientAuth = bindingField{
		such:  `{"subjectDn": "CN=client,O=Example"}`,
		kinds: []truststore.BindingKind{truststore.SubjectDN, truststore.SANDNS, truststore.SANURI, truststore.SANIP, truststore.SANEmail},
		kind:  func(member string) string { return member },
		known: "subjectDn, sanDns, sanUri, sanIp, sanEmail",
		one:   "a client is bound to one subject: keep one of the fields (RFC 8705 2.1.2)",
	}
	// spiffe is one workload or one trust domain.
	spiffe = bindingField{
		such:  `{"id": "spiffe://td.example/path"}`,
		kinds: []truststore.BindingKind{truststore.SPIFFEID, truststore.SPIFFETrustDomain},
		kind:  func(member string) string { return "spiffe." + member },
		known: "id, trustDomain",
		one:   "a client is one workload or those of one trust domain: keep one of the fields",
	}
)

// read returns the zero Binding for an object without members, and beside a fault
// what was read before it.
func (b bindingField) read(value json.RawMessage) (bound truststore.Binding, fault *Fault) {
	members, fault := membersOf(value, b.such)
	if fault != nil {
		return bound, fault
	}
	for _, m := range members {
		kind := b.kindOf(m.name)
		if kind == truststore.NoBinding {
			return bound, &Fault{Field: m.name, Problem: "is not known: one of " + b.known + b.meant(m.name)}
		}
		if !bound.IsZero() {
			return bound, &Fault{Field: m.name, Problem: b.one}
		}
		var text string
		if fault := readText(m.value, &text); fault != nil {
			fault.Field = m.name
			return bound, fault
		}
		var err error
		if bound, err = truststore.ParseBinding(kind, text); err != nil {
			return bound, &Fault{Field: m.name, Problem: errors.Unwrap(err).Error() + orTrustDomain(kind, text)} // without the kind, which the field says
		}
	}
	return bound, nil
}

// kindOf returns the kind of a member, NoBinding if it has none.
func (b bindingField) kindOf(member string) truststore.BindingKind {
	if i := slices.IndexFunc(b.kinds, func(kind truststore.BindingKind) bool { return b.kind(member) == kind.String() }); i >= 0 {
		return b.kinds[i]
	}
	return truststore.NoBinding
}

// orTrustDomain is added to the problem of a SPIFFE ID that is a trust domain.
func orTrustDomain(kind truststore.BindingKind, text string) string {
	_, err := truststore.ParseBinding(truststore.SPIFFETrustDomain, strings.TrimPrefix(text, "spiffe://"))
	if kind != truststore.SPIFFEID || err != nil {
		return ""
	}
	return `; for every workload of a trust domain write {"trustDomain": "td.example"}`
}

// meant is added to the problem of a member that there is not, as [meant] is.
func (b bindingField) meant(member string) string {
	for word := range strings.SplitSeq(b.known, ", ") {
		if bare(word) == bare(member) {
			return didYouMean(word)
		}
	}
	return ""
}

func (r *reader) readTLSClientAuth(value json.RawMessage) (fault *Fault) {
	r.binding, fault = tlsClientAuth.read(value)
	return fault
}

// readSPIFFE faults an object without members: whoever writes it means to bind the
// client.
func (r *reader) readSPIFFE(value json.RawMessage) (fault *Fault) {
	if r.spiffe, fault = spiffe.read(value); fault == nil && r.spiffe.IsZero() {
		return &Fault{Problem: "has neither id nor trustDomain"}
	}
	return fault
}

// bound is what certificates accepted by chain must have.
func (r *reader) bound() truststore.Binding {
	if !r.spiffe.IsZero() {
		return r.spiffe
	}
	return r.binding
}
