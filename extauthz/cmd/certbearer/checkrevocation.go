package main

import (
	"fmt"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// withLists returns the CAs of clients that signed a revocation list of the folder.
func withLists(snapshot *policies.Snapshot, lists policies.CRLs) map[[32]byte]bool {
	listed := make(map[[32]byte]bool)
	for _, file := range lists.Files {
		for _, list := range file.Lists {
			for ca := range snapshot.CAsNamed(list.RawIssuer()) {
				if list.SignedBy(ca) == nil {
					listed[truststore.NewAnchor(truststore.Entry{Certificate: ca}).ID] = true
				}
			}
		}
	}
	return listed
}

// revocation is about what the document asks of revocation, and of the form of
// certificates.
func (x *examiner) revocation(document policies.Document) []remark {
	client := document.Client
	var remarks []remark
	if client.CertificateProfile() == truststore.Compatible {
		remarks = append(remarks, remark{code: codeProfile, field: "certificateProfile", problem: "is compatible: " + needed(client)})
	}
	asked := client.Revocation()
	if asked.Mode == revocation.Off || len(client.Anchors()) == 0 || x.learns(document, asked) {
		return remarks
	}
	outcome := "no certificate is refused because of it"
	if asked.Mode == revocation.Hard {
		outcome = "every certificate of its CAs is refused"
	}
	return append(remarks, remark{code: codeNoRevocations, field: revocationField, problem: fmt.Sprintf("is %s, and there is nowhere to learn of revocations: %s", asked.Mode, outcome)})
}

// learns reports whether there is anywhere to learn of revocations for the client.
func (x *examiner) learns(document policies.Document, asked policies.Revocation) bool {
	if len(asked.Locations)+len(asked.Hosts) > 0 {
		return true
	}
	for _, anchor := range document.Client.Anchors() {
		if x.listed[anchor.ID] {
			return true
		}
	}
	return len(storedLocations(document)) > 0
}

// needed says which CAs of the client want the profile.
func needed(client *policies.Client) string {
	count := 0
	for _, anchor := range client.Anchors() {
		strict := client.Terms(anchor.Certificate.NotAfter)
		strict.Profile = truststore.Strict
		if anchor.CheckUsableOn(strict) != nil && usable(client, anchor) == nil {
			count++
		}
	}
	if count == 0 {
		return "certificates need not have the form of RFC 5280 section 4; every CA in the store has it"
	}
	return fmt.Sprintf("certificates need not have the form of RFC 5280 section 4; %s in the store would be refused without", counted(count, "CA"))
}

// storedLocations returns where the certificates of the store say that their own
// revocations are, those whose issuer is in the store too.
func storedLocations(document policies.Document) []revocation.Location {
	var all []revocation.Location
	for _, entry := range document.TrustStore {
		all = append(all, revocation.StoredLocations(entry.Certificate, document.Client.Anchors())...)
	}
	return all
}

// aloneAbove says of a CA that did not sign itself, and whose issuer is not in the
// store, that its own revocation is nobody's business.
func aloneAbove(client *policies.Client, anchor *truststore.Anchor) string {
	c := anchor.Certificate
	if client.Revocation().Mode == revocation.Off || truststore.NameKey(c.RawIssuer) == truststore.NameKey(c.RawSubject) {
		return ""
	}
	if len(revocation.WithIssuers(c, client.Anchors())) > 1 {
		return ""
	}
	return "is a CA that another one issued, which is not in the store: whether it was itself revoked is not asked"
}
