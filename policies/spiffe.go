package policies

import (
	"encoding/json"
	"errors"

	"github.com/certbearer/certbearer/policies/truststore"
)

// readSPIFFE takes one workload or one trust domain. An object with neither is a
// fault: whoever writes it means to bind the client.
func (r *reader) readSPIFFE(value json.RawMessage) *Fault {
	members, fault := membersOf(value, `{"id": "spiffe://td.example/path"}`)
	if fault != nil {
		return fault
	}
	for _, m := range members {
		kind := spiffeKind(m.name)
		if kind == truststore.NoBinding {
			return &Fault{Field: m.name, Problem: "is not known: one of id, trustDomain"}
		}
		if r.spiffeSet {
			return &Fault{Field: m.name, Problem: "a client is one workload or those of one trust domain: keep one of the fields"}
		}
		var text string
		if fault := readText(m.value, &text); fault != nil {
			fault.Field = m.name
			return fault
		}
		binding, err := truststore.ParseBinding(kind, text)
		if err != nil {
			return &Fault{Field: m.name, Problem: errors.Unwrap(err).Error()} // without the kind, which the field says
		}
		r.spiffe, r.spiffeSet = binding, true
	}
	if !r.spiffeSet {
		return &Fault{Problem: "has neither id nor trustDomain"}
	}
	return nil
}

// spiffeKind returns the kind of a field within spiffe.
func spiffeKind(field string) truststore.BindingKind {
	return kindOf("spiffe."+field, truststore.SPIFFEID, truststore.SPIFFETrustDomain)
}

// bound is what certificates accepted by chain must have.
func (r *reader) bound() truststore.Binding {
	if r.spiffeSet {
		return r.spiffe
	}
	return r.binding
}
