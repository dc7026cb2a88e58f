package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"regexp"
	"slices"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/truststore"
)

// meantAsCA says why a certificate looks as if it were meant to issue although it
// is no CA, "" if it does not. An ordinary pinned certificate does not.
func meantAsCA(client *policies.Client, entry truststore.Entry) string {
	c := entry.Certificate
	if entry.IsAnchor() {
		return ""
	}
	forClients := truststore.CheckLeaf(c, c.NotAfter) == nil
	switch {
	case c.KeyUsage&x509.KeyUsageCertSign != 0:
		return "may sign certificates by its keyUsage, and is no CA by its basicConstraints: it issues nothing"
	case c.IsCA && !forClients:
		return "is a CA, and its keyUsage lacks keyCertSign: it issues nothing"
	case client.AuthMethod() == policies.TLSClientAuth && len(client.Anchors()) > 0:
		return "is no CA, and tls_client_auth accepts the certificates of a CA only: it has no effect"
	case !client.Binding().IsZero() && len(client.Anchors()) > 0 && client.Binding().Check(c) != nil:
		return "is no CA, and does not have the subject of " + bindingFieldOf(client) + ": it is accepted as it is, and issues nothing"
	case bytes.Equal(c.RawIssuer, c.RawSubject) && len(c.ExtKeyUsage) == 0 && namedLikeCA.MatchString(c.Subject.CommonName):
		return "is self-signed and named like a CA, and is none by its basicConstraints: it is accepted as it is, and issues nothing"
	}
	return ""
}

var namedLikeCA = regexp.MustCompile(`\bCA\b|(?i:\b(certificate|certification|root|issuing) (ca|authority)\b)`)

// maxKin bounds the certificates of one name that are looked at.
const maxKin = 4

// docPlace is a document: its file and its number in that.
type docPlace struct {
	file   string
	number int
}

// kin finds certificates that issued others in the folder and are no CA. It keeps
// places only, for nearly never is there one; then it reads those files again.
type kin struct {
	issuers map[[sha256.Size]byte][]docPlace // of certificates, by their issuer's name
	leaves  map[[sha256.Size]byte][]docPlace // of those that are no CA, by their subject's
}

func newKin() *kin {
	return &kin{issuers: make(map[[sha256.Size]byte][]docPlace), leaves: make(map[[sha256.Size]byte][]docPlace)}
}

func (k *kin) add(at docPlace, client *policies.Client, entry truststore.Entry) {
	c := entry.Certificate
	remember := func(in map[[sha256.Size]byte][]docPlace, name []byte) {
		if key := sha256.Sum256(name); len(in[key]) < maxKin {
			in[key] = append(in[key], at)
		}
	}
	if !bytes.Equal(c.RawIssuer, c.RawSubject) {
		remember(k.issuers, c.RawIssuer)
	}
	if client.Status() == policies.StatusActive && !entry.IsAnchor() && meantAsCA(client, entry) == "" {
		remember(k.leaves, c.RawSubject)
	}
}

// resolve reports the certificates that are no CA and whose key signed others.
func (k *kin) resolve(dir string, report *clientsReport) error {
	files := make(map[string]bool)
	for name, places := range k.leaves {
		for _, at := range append(k.issuers[name], places...) {
			if len(k.issuers[name]) > 0 {
				files[at.file] = true
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	issued := make(map[string][]*x509.Certificate)
	within := func(name string) bool { return files[name] }
	err := eachDocumentOf(dir, within, func(_ string, _ int, document policies.Document) {
		for _, entry := range document.TrustStore {
			name := string(entry.Certificate.RawIssuer)
			if len(k.leaves[sha256.Sum256([]byte(name))]) > 0 && len(issued[name]) < maxKin && !bytes.Equal(entry.Certificate.RawIssuer, entry.Certificate.RawSubject) {
				issued[name] = append(issued[name], entry.Certificate)
			}
		}
	})
	if err != nil {
		return err
	}
	return eachDocumentOf(dir, within, func(file string, number int, document policies.Document) {
		for i := range document.TrustStore {
			entry := &document.TrustStore[i]
			isLeaf := document.Client != nil && document.Client.Status() == policies.StatusActive && !entry.IsAnchor() && meantAsCA(document.Client, *entry) == ""
			if isLeaf && signedOne(entry.Certificate, issued[string(entry.Certificate.RawSubject)]) {
				found := remark{code: codeNotACA, field: trustStoreField, entry: entry, problem: "is no CA, and certificates in this folder are signed with its key: none of them is accepted because of it"}
				report.add(found.finding(file, number, &document))
			}
		}
	})
}

func signedOne(issuer *x509.Certificate, issued []*x509.Certificate) bool {
	return slices.ContainsFunc(issued, func(c *x509.Certificate) bool {
		return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
	})
}
