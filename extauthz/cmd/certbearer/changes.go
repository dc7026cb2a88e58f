package main

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// changeKind is what a change is about.
type changeKind string

// The kinds, by how much they open.
const (
	changePresent    changeKind = "present"    // a certificate presented besides
	changeTime       changeKind = "time"       // a certificate renewed, or awaited
	changeName       changeKind = "name"       // the client that the request names
	changeBind       changeKind = "bind"       // the subject that a client is bound to
	changeUnpin      changeKind = "unpin"      // a certificate out of a trust store
	changePin        changeKind = "pin"        // the certificate into a trust store
	changeClient     changeKind = "client"     // a client that there is not yet
	changeAudience   changeKind = "audience"   // an audience that a client may have
	changeStatus     changeKind = "status"     // a client that is active
	changeProfile    changeKind = "profile"    // the form that is asked of certificates
	changePolicies   changeKind = "policies"   // the certificate policies that are asked for
	changeMethod     changeKind = "method"     // how a client may authenticate
	changeTrust      changeKind = "trust"      // a CA into a trust store
	changeRevocation changeKind = "revocation" // what holds where nothing is known
)

func (k changeKind) opens() int {
	return slices.Index([]changeKind{
		changePresent, changeTime, changeName, changeBind, changeUnpin, changePin, changeClient,
		changeAudience, changeStatus, changeProfile, changePolicies, changeMethod, changeTrust, changeRevocation,
	}, k)
}

// changesIn lists what could be otherwise and might matter. Which of it does is
// for the decision to say.
func changesIn(w world, refused extauthz.Explanation, near []nearby) []change {
	var all []change
	for _, ca := range w.above {
		all = append(all, presentedToo(ca))
	}
	all = append(all, times(w, near)...)
	for _, one := range near {
		all = append(all, naming(one.client.ID()))
		all = append(all, inDocument(w, refused, one)...)
	}
	if len(near) == 0 {
		all = append(all, founding(w.presented[0]))
	}
	return all
}

// storedAbove returns CAs of any client that, by name, stand above what is presented
// and are not presented.
func storedAbove(clients *policies.Snapshot, presented []*x509.Certificate) []*x509.Certificate {
	const most, levels = 8, 3
	if len(presented) == 0 {
		return nil
	}
	var found []*x509.Certificate
	wanted := make(map[[32]byte]bool)
	for _, certificate := range presented {
		wanted[truststore.NameKey(certificate.RawIssuer)] = true
	}
	sorted := clients.Sorted()
	for range levels {
		before := len(found)
		for _, client := range sorted {
			for _, anchor := range client.Anchors() {
				known := slices.ContainsFunc(slices.Concat(presented, found), anchor.Certificate.Equal)
				if len(found) < most && !known && wanted[truststore.NameKey(anchor.Certificate.RawSubject)] {
					found = append(found, anchor.Certificate)
				}
			}
		}
		for _, ca := range found[before:] {
			wanted[truststore.NameKey(ca.RawIssuer)] = true
		}
		if len(found) == before {
			break
		}
	}
	return found
}

func presentedToo(ca *x509.Certificate) change {
	return change{
		Kind: changePresent, Add: pemOf(ca),
		Do: "have the caller present the intermediate " + identified(ca) + " and see that the proxy passes it on",
		make: func(w world) (world, bool) {
			w.presented = append(slices.Clone(w.presented), ca)
			return w.seen(), true
		},
	}
}

// times are moments at which certificates were good that are not now: the latest
// before them, or the first to come.
func times(w world, near []nearby) []change {
	var moments []time.Time
	consider := func(certificate *x509.Certificate) {
		switch {
		case w.at.After(certificate.NotAfter):
			moments = append(moments, certificate.NotAfter)
		case w.at.Before(certificate.NotBefore):
			moments = append(moments, certificate.NotBefore)
		}
	}
	for _, certificate := range w.presented {
		consider(certificate)
	}
	for _, one := range near {
		for _, anchor := range one.client.Anchors() {
			consider(anchor.Certificate)
		}
	}
	// The nearest first: it takes the fewest certificates back.
	slices.SortFunc(moments, func(a, b time.Time) int { return cmp.Compare(a.Sub(w.at).Abs(), b.Sub(w.at).Abs()) })
	moments = slices.CompactFunc(moments, time.Time.Equal)
	var all []change
	for _, moment := range moments[:min(len(moments), 8)] {
		all = append(all, change{Kind: changeTime, make: func(w world) (world, bool) {
			w.at = moment
			return w.seen(), true
		}})
	}
	return all
}

// timeSentence says which certificates of the path that would be accepted at another
// time are not good at this one.
func timeSentence(at time.Time, accepted extauthz.Explanation) string {
	var todo []string
	for i, certificate := range accepted.Identity.Accepted.Path {
		name := fmt.Sprintf("%q", shownName(certificate))
		switch {
		case at.After(certificate.NotAfter) && i == 0 && accepted.Identity.Accepted.Pinned:
			todo = append(todo, fmt.Sprintf("have %s renewed, which ended at %s: the new certificate has to be in the certificateTrustStore of client %s", name, stamp(certificate.NotAfter), accepted.Identity.Client.ID()))
		case at.After(certificate.NotAfter) && i == len(accepted.Identity.Accepted.Path)-1:
			todo = append(todo, fmt.Sprintf("replace the CA's certificate %s, which ended at %s, in the certificateTrustStore of client %s by its new one", name, stamp(certificate.NotAfter), accepted.Identity.Client.ID()))
		case at.After(certificate.NotAfter):
			todo = append(todo, fmt.Sprintf("have %s renewed, which ended at %s", name, stamp(certificate.NotAfter)))
		case at.Before(certificate.NotBefore):
			todo = append(todo, fmt.Sprintf("wait until %s, when %s begins, and check the clocks", stamp(certificate.NotBefore), name))
		}
	}
	return strings.Join(todo, "; ")
}

// naming is about requests that name the wrong client, or none where several could
// be meant.
func naming(id string) change {
	return change{
		Kind: changeName, Client: id,
		Do: "have the request name client " + id + ": by its client_id, or by the clientId of a route that is for it alone",
		make: func(w world) (world, bool) {
			named := w.clientID
			w.clientID = id
			return w, named != id
		},
	}
}

// inDocument lists what could be otherwise in a client's document.
func inDocument(w world, refused extauthz.Explanation, of nearby) []change {
	id, leaf := of.client.ID(), w.presented[0]
	all := append(bindings(leaf, of), inStore(leaf, of))
	all = append(all,
		change{Kind: changeStatus, Field: "status", Value: asJSON(policies.StatusActive.String()),
			Do: "set the status of client " + id + " to active", Risk: "somebody turned the client off: find out why first"},
		change{Kind: changeProfile, Field: "certificateProfile", Value: asJSON(truststore.Compatible.String()),
			Do: "set the certificateProfile of client " + id + " to compatible", Risk: "its certificates are no longer held to the form that RFC 5280 asks of issuers; what they say holds all the same"},
		change{Kind: changePolicies, Field: "certificatePolicies",
			Do: "take certificatePolicies out of the document of client " + id, Risk: "certificates that its CAs issue under any other policy are accepted too"},
		change{Kind: changeMethod, Field: "tokenEndpointAuthMethod",
			Do: "take tokenEndpointAuthMethod out of the document of client " + id, Risk: "all certificates in its store are accepted as they are then, and all that the CAs among them issue"})
	for _, ca := range slices.Concat(issuersAmong(w.presented), w.above) {
		all = append(all, trusting(ca, of))
	}
	switch {
	case refused.Reason == decision.RevocationUnavailable || refused.Reason == decision.RevocationStale:
		all = append(all, softly(of))
	case refused.Reason == decision.AudienceNotAllowed && refused.Route != nil:
		all = append(all, change{Kind: changeAudience, Field: "audience", Value: asJSON(append(of.client.Audience(), refused.Route.Audience)),
			Do: "add " + refused.Route.Audience + " to the audience of client " + id, Risk: "the client may have tokens for it wherever it asks"})
	}
	for i := range all {
		all[i].Client = id
		all[i].make = all[i].toDocument // of the change as it is now
	}
	return all
}

// toDocument makes the change to the client's document.
func (c change) toDocument(w world) (world, bool) {
	draft, known := w.drafts[c.Client]
	if !known {
		return w, false
	}
	value := c.Value
	if c.Add != "" {
		value = asJSON(storeText(draft.Document().TrustStore) + c.Add)
	}
	return w.withDraft(draft.With(c.Field, value))
}

// anotherWay is what every advice to trust a certificate has to say.
const anotherWay = ", on another way than this request"

// inStore is about the certificate itself in the trust store.
func inStore(leaf *x509.Certificate, of nearby) change {
	same := func(entry truststore.Entry) bool { return entry.Certificate.Equal(leaf) }
	where := " the certificateTrustStore of client " + of.client.ID()
	if slices.ContainsFunc(of.store, same) {
		return change{Kind: changeUnpin, Field: trustStoreField, Value: asJSON(storeText(slices.DeleteFunc(slices.Clone(of.store), same))),
			Do: "take " + identified(leaf) + " out of" + where, Risk: "that client is no longer let in by it"}
	}
	return change{Kind: changePin, Field: trustStoreField, Add: pemOf(leaf), Do: "put " + identified(leaf) + " into" + where, Risk: riskOfPinning(leaf)}
}

func riskOfPinning(leaf *x509.Certificate) string {
	risk := "whoever has its key is let in as this client: be sure that the certificate is the client's own" + anotherWay
	if (truststore.Entry{Certificate: leaf}).IsAnchor() {
		risk += ". It is a CA: unless tokenEndpointAuthMethod is self_signed_tls_client_auth, whatever it issues is let in too"
	}
	return risk
}

func identified(c *x509.Certificate) string {
	return fmt.Sprintf("%q, of SHA-256 %s,", shownName(c), newPathCertificate(c).Thumbprint)
}

func trusting(ca *x509.Certificate, of nearby) change {
	risk := "every certificate that this CA issues is accepted then: be sure that it is the client's CA" + anotherWay + ", and set tlsClientAuth"
	if binding := of.client.Binding(); !binding.IsZero() {
		risk = fmt.Sprintf("every certificate with %s %s that this CA issues is accepted then: be sure that it is the client's CA%s", binding.Kind, binding.Text, anotherWay)
	}
	return change{Kind: changeTrust, Field: trustStoreField, Add: pemOf(ca), Risk: risk,
		Do: "put the CA " + identified(ca) + " into the certificateTrustStore of client " + of.client.ID()}
}

// bindings are the subjects of the certificate to which the client could be bound,
// that of the kind that it is bound to first.
func bindings(leaf *x509.Certificate, of nearby) []change {
	bound, risk := of.client.Binding(), ""
	if !bound.IsZero() {
		risk = fmt.Sprintf("certificates with %s %s, which it is bound to now, are no longer accepted", bound.Kind, bound.Text)
	}
	names := namesOf(leaf)
	var all []change
	if id, _, err := truststore.SVID(leaf); err == nil {
		all = append(all, change{Kind: changeBind, Field: "spiffe", Value: asJSON(map[string]string{"id": id}), Risk: risk,
			Do: fmt.Sprintf("bind client %s by spiffe to the id %s, if that is its workload", of.client.ID(), id)})
	}
	if len(names) > 0 && names[0].field == truststore.SubjectDN.String() {
		names = append(names[1:], names[0]) // a whole subject is the most easily changed
	}
	for _, name := range names {
		one := change{Kind: changeBind, Field: "tlsClientAuth", Value: asJSON(map[string]string{name.field: name.text}), Risk: risk,
			Do: fmt.Sprintf("bind client %s by tlsClientAuth to %s %s, if that is its subject", of.client.ID(), name.field, name.text)}
		if name.field == bound.Kind.String() {
			all = slices.Insert(all, 0, one)
		} else {
			all = append(all, one)
		}
	}
	return all
}

// founding is a document for a client that there is not yet, where the certificate
// comes near to none.
func founding(leaf *x509.Certificate) change {
	const id = "new"
	document := asJSON(map[string]string{"resourceType": "ClientApplication", "id": id, trustStoreField: pemOf(leaf)})
	return change{Kind: changeClient, Client: id, Value: document, Risk: riskOfPinning(leaf),
		Do: "write a document for a new client, with " + identified(leaf) + " in its certificateTrustStore",
		make: func(w world) (world, bool) {
			draft, err := policies.DraftOf(id+".json", document, 1)
			if err != nil || w.clients.Client(id) != nil {
				return w, false
			}
			return w.withDraft(draft)
		}}
}

func softly(of nearby) change {
	asked := of.client.Revocation()
	value := map[string]any{"mode": revocation.Soft.String()}
	if len(asked.Locations) > 0 {
		value["locations"] = asked.Locations
	}
	if len(asked.Hosts) > 0 {
		value["hosts"] = asked.Hosts
	}
	return change{Kind: changeRevocation, Field: "revocation", Value: asJSON(value),
		Do: "set the mode of revocation of client " + of.client.ID() + " to soft", Risk: "while nothing is known, a certificate that its CA has revoked is accepted"}
}

// issuersAmong returns the CAs among what is presented, but the leaf.
func issuersAmong(presented []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(presented[1:]), func(c *x509.Certificate) bool { return !(truststore.Entry{Certificate: c}).IsAnchor() })
}

func storeText(store []truststore.Entry) string {
	var b strings.Builder
	for _, entry := range store {
		b.WriteString(pemOf(entry.Certificate))
	}
	return b.String()
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// asJSON is for values that are always some: texts and lists of them.
func asJSON(value any) json.RawMessage {
	out, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return out
}
