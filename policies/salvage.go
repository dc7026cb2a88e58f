package policies

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxLooseBindings bounds the subjects that are kept of a document with a
// fault: a slip of the pen makes two.
const maxLooseBindings = 16

// looseEnds are what a document with a fault claims besides what its reader
// took: in members that stand twice, are misspelled or cannot be read to the
// end.
type looseEnds struct {
	certificates []truststore.Entry
	bindings     []truststore.Binding
	method       bool // which method is meant cannot be told
}

func (l *looseEnds) bind(found []truststore.Binding) {
	room := maxLooseBindings - len(l.bindings)
	l.bindings = append(l.bindings, found[:min(len(found), room)]...)
}

// readSurplus takes of a member that is at fault what speaks against the
// client, or keeps from others what is the client's: a status, whatever the
// letters of its name; subjects; certificates, wherever they stand.
func (r *reader) readSurplus(m member) {
	switch {
	case strings.EqualFold(m.name, "status"):
		r.readStatus(m.value)
	case strings.EqualFold(m.name, "tokenEndpointAuthMethod"):
		r.loose.method = true
	case strings.EqualFold(m.name, "tlsClientAuth"):
		r.loose.bind(tlsClientAuth.readable(m.value))
	case strings.EqualFold(m.name, "spiffe"):
		r.loose.bind(spiffe.readable(m.value))
	default:
		r.salvage(m.value)
	}
}

// salvage reads the certificates of a text or of a list of texts.
func (r *reader) salvage(value json.RawMessage) {
	if !bytes.Contains(value, []byte("-----BEGIN CERTIFICATE-----")) {
		return
	}
	var texts []string
	if readTexts(value, &texts) != nil {
		texts = make([]string, 1)
		if readText(value, &texts[0]) != nil {
			return
		}
	}
	for _, text := range texts {
		found := truststore.Salvage([]byte(text))
		room := truststore.MaxStoreCertificates - len(r.loose.certificates)
		r.loose.certificates = append(r.loose.certificates, found[:min(len(found), room)]...)
	}
}

// readable returns every subject in the field that can be read.
func (b bindingField) readable(value json.RawMessage) []truststore.Binding {
	members, _ := splitObject(value, 0)
	var out []truststore.Binding
	for _, m := range members {
		var text string
		if readText(m.value, &text) != nil {
			continue
		}
		if binding, err := truststore.ParseBinding(b.kindOf(m.name), text); err == nil {
			out = append(out, binding)
		}
	}
	return out
}

// remnant makes the record of a document with a fault. Where its method cannot
// be told, its certificates are taken for pins and for CAs.
func (r *reader) remnant() *Client {
	whole := *r
	whole.doc.TrustStore = slices.Concat(r.doc.TrustStore, r.loose.certificates)
	if !r.binding.IsZero() && !r.spiffe.IsZero() {
		whole.loose.bind([]truststore.Binding{r.binding}) // beside the other, which is in the record
	}
	if r.loose.method || r.method == SelfSignedTLSClientAuth && !r.bound().IsZero() {
		whole.method = AnyTLSMethod
	}
	out := Remnant(r.doc.ID, r.doc.HasStatus && r.doc.Status != StatusActive, whole.client())
	if len(out.more.anchors) > 0 {
		out.more.alsoBound = distinct(out.more.binding, whole.loose.bindings)
	}
	return out
}
