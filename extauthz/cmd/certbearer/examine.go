package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// expiringWithin is how long before a certificate's end that is worth a word.
const expiringWithin = 30 * 24 * time.Hour

const trustStoreField = "certificateTrustStore"

// examiner looks at documents that have no fault, for what may surprise their
// owner.
type examiner struct {
	snapshot *policies.Snapshot
	at       time.Time
	shareOK  bool
	bindAll  bool                  // nobody is accepted by chain without a subject
	trusting map[[32]byte][]string // by truststore.Anchor.ID, of those that several clients hold
}

// remark is one surprise.
type remark struct{ field, problem string }

func newExaminer(snapshot *policies.Snapshot, options policies.Options, at time.Time) *examiner {
	x := &examiner{snapshot: snapshot, at: at, shareOK: options.AllowSharedAnchors, bindAll: options.RequireBinding, trusting: make(map[[32]byte][]string)}
	for _, client := range snapshot.Sorted() {
		for _, anchor := range client.Anchors() {
			held := x.trusting[anchor.ID]
			// A renewed certificate of the same CA is no second holder.
			again := len(held) > 0 && held[len(held)-1] == client.ID()
			if snapshot.AnchorHolders(anchor) > 1 && !again && len(held) < maxNamed+2 {
				x.trusting[anchor.ID] = append(held, client.ID())
			}
		}
	}
	return x
}

// examine returns the remarks on one document. Of a client that is not active
// only what it takes from others counts.
func (x *examiner) examine(document policies.Document) []remark {
	if document.Client == nil {
		return nil
	}
	var remarks []remark
	if document.Client.Status() == policies.StatusActive {
		remarks = accepting(document)
	}
	if document.Client.Mode() == policies.ModeShadow {
		remarks = append(remarks, remark{"mode", x.inShadow()})
	}
	for _, entry := range document.TrustStore {
		for _, problem := range x.entry(document.Client, entry) {
			remarks = append(remarks, remark{trustStoreField, nameEntry(entry) + " " + problem})
		}
	}
	return remarks
}

// inShadow says what becomes of a client's mode.
func (x *examiner) inShadow() string {
	if x.bindAll {
		return "is shadow, and profile fapi2 enforces all the same"
	}
	return "is shadow: requests of this client pass as they came, refused or not"
}

// accepting is about the store as a whole: can it accept anybody?
func accepting(document policies.Document) []remark {
	client, certificates := document.Client, len(document.TrustStore)
	anchors := len(client.Anchors())
	switch {
	case certificates == 0:
		return []remark{{trustStoreField, "holds no certificate: nobody can authenticate as this client"}}
	case client.AuthMethod() == policies.TLSClientAuth && anchors == 0:
		return []remark{{trustStoreField, fmt.Sprintf("holds no CA among its %s, and tls_client_auth accepts the certificates of a CA only", counted(certificates, "certificate"))}}
	case !client.Binding().IsZero() && anchors == 0:
		return []remark{{"tlsClientAuth", "has no effect: it binds the certificates of a CA, and the trust store holds none"}}
	}
	return nil
}

// nameEntry says which certificate of a store it is: by number, and by subject.
func nameEntry(entry truststore.Entry) string {
	const most = 100
	subject := entry.Certificate.Subject.String()
	if len(subject) > most {
		subject = strings.ToValidUTF8(subject[:most], "") + "…"
	}
	return fmt.Sprintf("certificate %d (%s)", entry.Block, strconv.Quote(subject))
}

func (x *examiner) entry(client *policies.Client, entry truststore.Entry) []string {
	var problems []string
	if client.Status() == policies.StatusActive {
		problems = append(problems, x.condition(client, entry)...)
	}
	if x.pins(client, entry) {
		if others := x.otherPinners(client, entry.Thumbprint); others != "" {
			problems = append(problems, "is pinned by "+others+" too: none of them can be found by it")
		}
	}
	switch anchor := anchorOf(client, entry); {
	case anchor == nil || !client.Binding().IsZero():
	case x.bindAll && !x.pins(client, entry):
		problems = append(problems, "is a CA, and this client has no tlsClientAuth: under profile fapi2 none of the CA's certificates is accepted")
	case !x.bindAll:
		if others := x.others(client, x.trusting[anchor.ID]); others != "" {
			problems = append(problems, x.sharing(others))
		}
	}
	return problems
}

// sharing says what comes of an anchor that others hold.
func (x *examiner) sharing(others string) string {
	if x.shareOK {
		return "is a CA trusted by " + others + " too, and this client has no tlsClientAuth: a certificate that two of them accept is refused"
	}
	return "is a CA trusted by " + others + " too, and this client has no tlsClientAuth: it cannot be found by that CA's certificates"
}

// pins reports whether the entry can be the client's own certificate. A CA's
// that may only sign certificates stands in the store to issue.
func (x *examiner) pins(client *policies.Client, entry truststore.Entry) bool {
	if !client.HasPin(entry.Thumbprint) {
		return false
	}
	err := truststore.CheckLeaf(entry.Certificate, x.at)
	return anchorOf(client, entry) == nil || err == nil || decision.ReasonOf(err) != decision.CertificatePurpose
}

// condition is about the certificate itself.
func (x *examiner) condition(client *policies.Client, entry truststore.Entry) []string {
	anchor, pinned := anchorOf(client, entry), x.pins(client, entry)
	pinErr := truststore.CheckLeaf(entry.Certificate, x.at)
	var problems []string
	switch {
	case pinned && pinErr != nil:
		problems = append(problems, "is refused: "+whyRefused(pinErr))
	case anchor != nil && anchor.CheckUsable(x.at) != nil:
		problems = append(problems, "vouches for nobody: "+whyRefused(anchor.CheckUsable(x.at)))
	case pinned || anchor != nil:
		if left := entry.Certificate.NotAfter.Sub(x.at); left < expiringWithin {
			problems = append(problems, fmt.Sprintf("ends in %s, at %s", span(left), stamp(entry.Certificate.NotAfter)))
		}
	}
	if pinned && anchor != nil && !(x.bindAll && client.Binding().IsZero()) {
		problems = append(problems, "also issues: it is pinned and a CA, so certificates that it signs are accepted as well; tokenEndpointAuthMethod self_signed_tls_client_auth ends that")
	}
	return problems
}

// whyRefused is the reason and the innermost cause, without the subject that
// stands beside them already.
func whyRefused(err error) string {
	reason := decision.ReasonOf(err).String()
	var denial *decision.Denial
	for errors.As(err, &denial) && denial.Cause != nil {
		err = denial.Cause
	}
	return reason + ": " + err.Error()
}

func anchorOf(client *policies.Client, entry truststore.Entry) *truststore.Anchor {
	for _, anchor := range client.Anchors() {
		if anchor.Thumbprint == entry.Thumbprint {
			return anchor
		}
	}
	return nil
}

func (x *examiner) otherPinners(client *policies.Client, thumbprint policies.Thumbprint) string {
	var ids []string
	for _, other := range x.snapshot.PinnedBy(thumbprint) {
		ids = append(ids, other.ID())
	}
	slices.Sort(ids)
	return x.others(client, ids)
}

// maxNamed bounds the other clients that a remark names.
const maxNamed = 5

// others lists the ids but for the client's own, "" if there are none.
func (x *examiner) others(client *policies.Client, ids []string) string {
	var named []string
	for _, id := range ids {
		if id == client.ID() {
			continue
		}
		if len(named) == maxNamed {
			named = append(named, "others")
			break
		}
		named = append(named, id)
	}
	return strings.Join(named, ", ")
}
