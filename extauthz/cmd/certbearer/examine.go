package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

const (
	trustStoreField = "certificateTrustStore"
	bindingField    = "tlsClientAuth"
	revocationField = "revocation"
)

// examiner looks at documents that have no fault, for what may surprise their
// owner.
type examiner struct {
	snapshot *policies.Snapshot
	at       time.Time
	soon     time.Duration // how long before a certificate's end that is worth a word
	shareOK  bool
	bindAll  bool                  // nobody is accepted by chain without a subject
	trusting map[[32]byte][]string // by truststore.Anchor.ID, of those that several clients hold
	twins    twins
	kin      *kin
	listed   map[[32]byte]bool // CAs, by truststore.Anchor.ID, with a list in the folder
}

// remark is one surprise. Without an entry it is about the document.
type remark struct {
	code    code
	field   string
	entry   *truststore.Entry
	problem string
}

// finding says where the surprise is.
func (r remark) finding(file string, number int, document *policies.Document) finding {
	f := finding{Code: r.code, File: file, Line: document.LineOf(r.field), Document: number, Client: document.ID, Field: r.field, Problem: r.problem}
	if document.Client.Revocation().Mode == revocation.Hard {
		f.Severity = rowOf(r.code).InHard
	}
	if r.entry != nil {
		f.Block, f.Subject, f.SAN = r.entry.Block, shortened(truststore.SubjectOf(r.entry.Certificate)), shortened(truststore.AltNameOf(r.entry.Certificate))
		f.Thumbprint = hex.EncodeToString(r.entry.Thumbprint[:])
		f.Problem = nameEntry(*r.entry) + " " + r.problem
	}
	return f
}

func newExaminer(snapshot *policies.Snapshot, lists policies.CRLs, options policies.Options, at time.Time, soon time.Duration) *examiner {
	x := &examiner{snapshot: snapshot, at: at, soon: soon, shareOK: options.AllowSharedAnchors, bindAll: options.RequireBinding,
		trusting: make(map[[32]byte][]string), twins: make(twins), kin: newKin(), listed: withLists(snapshot, lists)}
	for _, client := range snapshot.Sorted() {
		for _, anchor := range client.Anchors() {
			x.twins.add(client, anchor)
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
func (x *examiner) examine(at docPlace, document policies.Document) []remark {
	client := document.Client
	if client == nil {
		return nil
	}
	var remarks []remark
	if client.Status() == policies.StatusActive {
		remarks = append(x.accepting(document), x.revocation(document)...)
	}
	if client.Mode() == policies.ModeShadow {
		remarks = append(remarks, remark{code: codeInShadow, field: "mode", problem: x.inShadow()})
	}
	for i := range document.TrustStore {
		entry := &document.TrustStore[i]
		x.kin.add(at, client, *entry)
		for _, found := range x.entry(client, *entry) {
			found.field, found.entry = trustStoreField, entry
			remarks = append(remarks, found)
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

// bindingFieldOf returns the field that binds the client.
func bindingFieldOf(client *policies.Client) string {
	if client.Binding().Kind.IsSPIFFE() {
		return "spiffe"
	}
	return bindingField
}

// accepting is about the store as a whole: can it accept anybody?
func (x *examiner) accepting(document policies.Document) []remark {
	client, certificates := document.Client, len(document.TrustStore)
	var remarks []remark
	switch anchors := len(client.Anchors()); {
	case certificates == 0:
		return []remark{{code: codeStoreEmpty, field: trustStoreField, problem: "holds no certificate: nobody can authenticate as this client"}}
	case client.AuthMethod() == policies.TLSClientAuth && anchors == 0:
		return []remark{{code: codeNoAnchor, field: trustStoreField, problem: fmt.Sprintf("holds no CA among its %s, and tls_client_auth accepts the certificates of a CA only", counted(certificates, "certificate"))}}
	case !client.Binding().IsZero() && anchors == 0:
		remarks = append(remarks, remark{code: codeBindingIdle, field: bindingFieldOf(client), problem: "has no effect: it binds the certificates of a CA, and the trust store holds none"})
	}
	if !x.acceptsSomebody(document) {
		remarks = append(remarks, remark{code: codeAcceptsNobody, field: trustStoreField, problem: fmt.Sprintf("lets nobody in, at any time, by its %s", counted(certificates, "certificate"))})
	}
	return remarks
}

// acceptsSomebody asks each certificate at a time at which it is valid: that it
// ends is no mistake.
func (x *examiner) acceptsSomebody(document policies.Document) bool {
	for _, entry := range document.TrustStore {
		if document.Client.HasPin(entry.Thumbprint) && truststore.CheckLeaf(entry.Certificate, entry.Certificate.NotAfter) == nil {
			return true
		}
		if anchor := anchorOf(document.Client, entry); anchor != nil && x.issuesFor(document.Client, anchor) {
			return true
		}
	}
	return false
}

// issuesFor reports whether certificates of the CA are accepted as the client's, at
// least while the CA is valid.
func (x *examiner) issuesFor(client *policies.Client, anchor *truststore.Anchor) bool {
	if usable(client, anchor) != nil {
		return false
	}
	return !client.Binding().IsZero() || !x.bindAll && (x.shareOK || x.snapshot.AnchorHolders(anchor) <= 1)
}

// usable says why the CA can be on no path of the client's, at a time at which it is
// valid.
func usable(client *policies.Client, anchor *truststore.Anchor) error {
	return anchor.CheckUsableOn(client.Terms(anchor.Certificate.NotAfter))
}

// nameEntry says which certificate of a store it is: by number, and by name.
func nameEntry(entry truststore.Entry) string {
	return fmt.Sprintf("certificate %d (%s)", entry.Block, strconv.Quote(shownName(entry.Certificate)))
}

func (x *examiner) entry(client *policies.Client, entry truststore.Entry) []remark {
	var remarks []remark
	if client.Status() == policies.StatusActive {
		remarks = append(remarks, x.condition(client, entry)...)
		if why := meantAsCA(client, entry); why != "" {
			remarks = append(remarks, remark{code: codeNotACA, problem: why})
		}
	}
	if x.pins(client, entry) {
		if others := x.otherPinners(client, entry.Thumbprint); others != "" {
			remarks = append(remarks, remark{code: codePinShared, problem: "is pinned by " + others + " too: none of them can be found by it"})
		}
	}
	anchor := anchorOf(client, entry)
	if anchor == nil {
		return remarks
	}
	if others := x.twins.of(client, anchor); others != "" {
		remarks = append(remarks, remark{code: codeAnchorTwin, problem: "is a CA, and " + others + " a CA of the same name and key identifier with another key: judging certificates of either costs more"})
	}
	if why := aloneAbove(client, anchor); why != "" {
		remarks = append(remarks, remark{code: codeIntermediate, problem: why})
	}
	return append(remarks, x.unbound(client, entry, anchor)...)
}

// unbound is about a CA of a client without a subject.
func (x *examiner) unbound(client *policies.Client, entry truststore.Entry, anchor *truststore.Anchor) []remark {
	switch {
	case !client.Binding().IsZero():
	case x.bindAll && !x.pins(client, entry):
		return []remark{{code: codeAnchorUnbound, problem: "is a CA, and this client has neither tlsClientAuth nor spiffe: under profile fapi2 none of the CA's certificates is accepted"}}
	case !x.bindAll:
		if others := x.others(client, x.trusting[anchor.ID]); others != "" {
			return []remark{{code: codeAnchorSharedAlone, problem: x.sharing(others)}}
		}
	}
	return nil
}

// sharing says what comes of an anchor that others hold.
func (x *examiner) sharing(others string) string {
	if x.shareOK {
		return "is a CA trusted by " + others + " too, and this client has neither tlsClientAuth nor spiffe: a certificate that two of them accept is refused"
	}
	return "is a CA trusted by " + others + " too, and this client has neither tlsClientAuth nor spiffe: it cannot be found by that CA's certificates"
}

// pins reports whether the entry can be the client's own certificate. A CA's
// that may only sign certificates stands in the store to issue.
func (x *examiner) pins(client *policies.Client, entry truststore.Entry) bool {
	if !client.HasPin(entry.Thumbprint) {
		return false
	}
	err := truststore.CheckLeaf(entry.Certificate, entry.Certificate.NotAfter)
	return anchorOf(client, entry) == nil || err == nil || decision.ReasonOf(err) != decision.CertificatePurpose
}

// condition is about the certificate itself.
func (x *examiner) condition(client *policies.Client, entry truststore.Entry) []remark {
	anchor, pinned := anchorOf(client, entry), x.pins(client, entry)
	if !pinned && anchor == nil {
		return nil
	}
	var remarks []remark
	if found, bad := x.form(client, entry, anchor, pinned); bad {
		remarks = append(remarks, found)
	} else if found, soon := x.validity(entry, pinned); soon {
		remarks = append(remarks, found)
	}
	if pinned && anchor != nil && usable(client, anchor) == nil && !(x.bindAll && client.Binding().IsZero()) {
		remarks = append(remarks, remark{code: codeAlsoIssues, problem: "also issues: it is pinned and a CA, so certificates that it signs are accepted as well; tokenEndpointAuthMethod self_signed_tls_client_auth ends that"})
	}
	return remarks
}

// form says why the certificate would be refused at any time.
func (x *examiner) form(client *policies.Client, entry truststore.Entry, anchor *truststore.Anchor, pinned bool) (remark, bool) {
	if pinned {
		if err := truststore.CheckLeaf(entry.Certificate, entry.Certificate.NotAfter); err != nil {
			return remark{code: codeOfRefusal(err, codePinRefused), problem: "is refused: " + whyRefused(err)}, true
		}
	}
	if anchor != nil {
		if err := usable(client, anchor); err != nil {
			return remark{code: codeOfRefusal(err, codeAnchorRefused), problem: "vouches for nobody: " + whyRefused(err)}, true
		}
	}
	return remark{}, false
}

// validity says when the certificate ends or begins, where that is worth a word.
func (x *examiner) validity(entry truststore.Entry, pinned bool) (remark, bool) {
	from, to := entry.Certificate.NotBefore, entry.Certificate.NotAfter
	refused, expired := "vouches for nobody", decision.PathExpired
	if pinned {
		refused, expired = "is refused", decision.CertificateExpired
	}
	switch now := x.at.Truncate(time.Second); {
	case now.After(to):
		return remark{code: codeEnded, problem: fmt.Sprintf("%s: %s: its validity ended at %s", refused, expired, stamp(to))}, true
	case now.Before(from):
		return remark{code: codeNotBegun, problem: refused + " until its validity begins at " + stamp(from)}, true
	case to.Sub(x.at) < x.soon:
		return remark{code: codeEndsSoon, problem: fmt.Sprintf("ends in %s, at %s", span(to.Sub(x.at)), stamp(to))}, true
	}
	return remark{}, false
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
