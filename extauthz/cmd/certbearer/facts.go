package main

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// maxFacts bounds the clients that one kind of fact names.
const maxFacts = 5

// facts are what an operator would look up next about a refusal: what is missing, which
// client comes near and by what it is missed.
func (p *replayer) facts(r *replay) ([]string, error) {
	switch {
	case len(r.record.Chain) == 0:
		return p.whence(r.record), nil
	case r.now.Allowed:
		return nil, nil
	}
	leaf := r.record.Chain[0]
	facts := endsOrBegins(leaf, r.record.Time)
	facts = append(facts, p.missing(r.record)...)
	if len(r.record.Chain) < r.record.ChainLength {
		facts = append(facts, fmt.Sprintf("of %d certificates that were presented %d are known here: the others may be what is missing", r.record.ChainLength, len(r.record.Chain)))
	}
	chain := chainFrom(r.record.Chain)
	for _, near := range p.clients.Candidates(chain, r.record.ClientID) {
		facts = append(facts, "client "+near.ID+": "+near.Why)
	}
	renewed, err := p.renewed(leaf)
	facts = append(facts, renewed...)
	facts = append(facts, p.boundTo(chain)...)
	if r.now.Reason == decision.RevocationUnavailable || r.now.Reason == decision.RevocationStale {
		facts = append(facts, "explain knows the revocation lists beside the documents and what is kept in "+cmp.Or(p.settings.Revocation.Directory, "no directory")+", and asks nobody: a running server may know more")
	}
	if r.now.Reason == decision.SubjectMismatch {
		facts = append(facts, "the certificate has "+subjectsOf(leaf))
	}
	return append(facts, r.now.triedFacts()...), err
}

// whence says where the certificate is looked for that was not found there, or could
// not be read: what a proxy sends has to be what is configured.
func (p *replayer) whence(record audit.Recorded) []string {
	if !aboutEvidence(record.Reason) {
		return nil
	}
	if record.Proxy != "" {
		at := p.proxy(record)
		if at < 0 {
			return []string{fmt.Sprintf("proxies has no entry of the name %s now", record.Proxy)}
		}
		return []string{fmt.Sprintf("proxy %s has to send the certificate in %s, as format: %s has it (proxies[%d])", record.Proxy, p.settings.Proxies[at].Header, p.settings.Proxies[at].Format, at)}
	}
	from := p.settings.Certificate
	switch {
	case record.Evidence != string(from.From):
		return nil // by another configuration, or at an endpoint of ours
	case from.From == config.FromHeader:
		return []string{fmt.Sprintf("the proxy in front of Envoy has to send the certificate in %s, as format: %s has it (certificate.header)", from.Header, from.Format)}
	case from.From == config.FromXFCC:
		return []string{"Envoy has to send the certificate in x-forwarded-client-cert, by set_current_client_cert_details with cert: true (certificate.from: xfcc)"}
	}
	return []string{"Envoy has to send the certificate in source.certificate, by include_peer_certificate: true (certificate.from: peer)"}
}

// aboutEvidence tells the reasons for which no certificate was read.
func aboutEvidence(reason decision.Reason) bool {
	switch reason {
	case decision.CertificateMissing, decision.CertificateMalformed,
		decision.EvidenceTooLarge, decision.EvidenceTooManyCertificates, decision.EvidenceRepeated,
		decision.XFCCMalformed, decision.XFCCElementCount, decision.XFCCDuplicateField, decision.XFCCCertificateMissing,
		decision.XFCCHashMismatch, decision.XFCCAmbiguousSAN, decision.ChainLeafMismatch:
		return true
	}
	return false
}

// endsOrBegins says when the certificate ended, or begins.
func endsOrBegins(leaf *x509.Certificate, at time.Time) []string {
	switch {
	case !at.Before(leaf.NotAfter):
		return []string{fmt.Sprintf("the certificate ended at %s, %s before the request", stamp(leaf.NotAfter), span(at.Sub(leaf.NotAfter)))}
	case at.Before(leaf.NotBefore):
		return []string{fmt.Sprintf("the certificate begins at %s, %s after the request", stamp(leaf.NotBefore), span(leaf.NotBefore.Sub(at)))}
	}
	return nil
}

// missing follows the issuers of what was presented to the one that was not.
func (p *replayer) missing(record audit.Recorded) []string {
	chain := record.Chain
	last := chain[0]
	for range chain {
		next := issuerAmong(last, chain)
		if next == nil {
			break
		}
		last = next
	}
	if bytes.Equal(last.RawIssuer, last.RawSubject) {
		if last == chain[0] {
			return []string{"the certificate is self-signed: only a client that pins exactly this one accepts it"}
		}
		return nil
	}
	var holders []string
	for _, client := range p.clients.Sorted() {
		for _, anchor := range client.Anchors() {
			if bytes.Equal(anchor.Certificate.RawSubject, last.RawIssuer) && len(holders) < maxFacts {
				holders = append(holders, client.ID())
				break
			}
		}
	}
	if len(holders) > 0 {
		return nil // a candidate says more of them
	}
	return []string{fmt.Sprintf("%q was issued by %q, which is not among the %s presented, and no client has it: %s",
		shownName(last), shortened(truststore.IssuerOf(last)), counted(len(chain), "certificate"), p.remedy(record))}
}

// remedy says how a CA's certificate that is missing gets here: some proxies pass on the
// leaf alone, whatever the caller presents.
func (p *replayer) remedy(record audit.Recorded) string {
	var format config.Format
	if record.Evidence == string(config.FromHeader) {
		format = p.settings.Certificate.Format
	}
	if at := p.proxy(record); at >= 0 {
		format = p.settings.Proxies[at].Format
	}
	switch format {
	case config.FormatALBLeaf, config.FormatNginx, config.FormatApache, config.FormatHAProxy:
		return fmt.Sprintf("put that CA's certificate into the client's certificateTrustStore; the proxy passes on the caller's own alone (format: %s)", format)
	}
	return "have the caller present that CA's certificate, and see that the proxy passes it on, or put it into the client's certificateTrustStore"
}

// proxy returns the place of the record's proxy in the configuration, -1 for none.
func (p *replayer) proxy(record audit.Recorded) int {
	return slices.IndexFunc(p.settings.Proxies, func(one config.Proxy) bool { return one.Name == record.Proxy })
}

func issuerAmong(certificate *x509.Certificate, chain []*x509.Certificate) *x509.Certificate {
	for _, other := range chain[1:] {
		if other != certificate && bytes.Equal(other.RawSubject, certificate.RawIssuer) && certificate.CheckSignatureFrom(other) == nil {
			return other
		}
	}
	return nil
}

// renewed finds clients that pin another certificate of the same subject or key: the
// one presented may be its successor.
func (p *replayer) renewed(leaf *x509.Certificate) ([]string, error) {
	var facts []string
	err := eachDocument(p.settings.Clients.Directory, func(_ string, _ int, document policies.Document) {
		for _, entry := range document.TrustStore {
			same := likeness(leaf, entry.Certificate)
			if same == "" || len(facts) == maxFacts {
				continue
			}
			facts = append(facts, fmt.Sprintf("client %s has another certificate of the same %s, serial %s, which ends at %s: %s",
				document.ID, same, entry.Certificate.SerialNumber.Text(16), stamp(entry.Certificate.NotAfter), succession(leaf.NotBefore, entry.Certificate.NotBefore)))
		}
	})
	return facts, err
}

// boundTo finds clients that are bound to a subject of the certificate: no CA of theirs
// leads to it.
func (p *replayer) boundTo(chain *truststore.Chain) []string {
	var facts []string
	for _, client := range p.clients.Sorted() {
		binding := client.Binding()
		if binding.IsZero() || binding.Check(chain.Leaf) != nil || len(facts) == maxFacts {
			continue
		}
		if _, err := client.Terms(chain.Leaf.NotAfter.Add(-time.Second)).Verify(chain, client.Anchors()); decision.ReasonOf(err) != decision.PathNotFound {
			continue
		}
		facts = append(facts, fmt.Sprintf("client %s is bound to %s %s, which the certificate has, and none of its CAs leads to it: an intermediate may be missing, or the CA is a new one",
			client.ID(), binding.Kind, binding.Text))
	}
	return facts
}

// subjectsOf lists the names to which a client could be bound.
func subjectsOf(leaf *x509.Certificate) string {
	var shown []string
	for _, name := range namesOf(leaf) {
		if name.field == truststore.SubjectDN.String() {
			name.text = strconv.Quote(name.text)
		}
		shown = append(shown, name.field+" "+name.text)
	}
	var workload []string
	if id, domain, err := truststore.SVID(leaf); err == nil {
		workload = []string{"spiffe.id " + id, "spiffe.trustDomain " + domain}
	} else if why := truststore.WhyNoSVID(leaf); why != "" {
		workload = []string{"no X509-SVID, for " + why}
	}
	if len(shown)+len(workload) == 0 {
		return "no name at all"
	}
	shown = slices.Insert(shown, min(len(shown), 1), workload...)
	return strings.Join(shown[:min(len(shown), 2*maxFacts)], ", ")
}

// subjectName is a name to which a client could be bound: the field of tlsClientAuth
// and its value.
type subjectName struct{ field, text string }

func namesOf(leaf *x509.Certificate) []subjectName {
	var names []subjectName
	if subject := truststore.SubjectOf(leaf); subject != "" {
		names = append(names, subjectName{truststore.SubjectDN.String(), subject})
	}
	for _, name := range leaf.DNSNames {
		names = append(names, subjectName{truststore.SANDNS.String(), name})
	}
	for _, name := range leaf.URIs {
		names = append(names, subjectName{truststore.SANURI.String(), name.String()})
	}
	for _, name := range leaf.IPAddresses {
		names = append(names, subjectName{truststore.SANIP.String(), name.String()})
	}
	for _, name := range leaf.EmailAddresses {
		names = append(names, subjectName{truststore.SANEmail.String(), name})
	}
	return names[:min(len(names), 4*maxFacts)]
}
