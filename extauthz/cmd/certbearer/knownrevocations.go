package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// knownRevocations is what can be read of revocations without asking anybody: the
// lists beside the documents, and what a server on this machine has fetched and kept.
type knownRevocations struct {
	lists []*revocation.CRL
	small [][]byte // what may be OCSP answers: it hangs on the certificate what they say
}

// readRevocations reads nothing if no client asks for it. What cannot be read is not
// known: each list is proven where it is believed.
func readRevocations(settings *config.Config, clients *policies.Snapshot, beside policies.CRLs) knownRevocations {
	var known knownRevocations
	asks := func(c *policies.Client) bool { return c.Revocation().Mode != revocation.Off }
	if !slices.ContainsFunc(slices.Collect(clients.All()), asks) {
		return known
	}
	for _, file := range beside.Files {
		known.lists = append(known.lists, file.Lists...)
	}
	left := int64(settings.Revocation.Quota) << 20
	entries, err := os.ReadDir(settings.Revocation.Directory)
	if settings.Revocation.Directory == "" || err != nil {
		return known
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || filepath.Ext(entry.Name()) != ".der" || info.Size() > min(left, revocation.MaxCRLBytes) {
			continue
		}
		left -= info.Size()
		kept, err := readUpTo(filepath.Join(settings.Revocation.Directory, entry.Name()), revocation.MaxCRLBytes)
		if err != nil {
			continue
		}
		// A list is kept as it came, in DER or PEM.
		if lists, err := revocation.ParseCRLs(kept); err == nil {
			known.lists = append(known.lists, lists...)
		} else if len(kept) <= revocation.MaxAnswerBytes {
			known.small = append(known.small, kept)
		}
	}
	return known
}

// about is the View in which the presented certificates are judged. above are CAs
// that may have issued them.
func (k knownRevocations) about(presented, above []*x509.Certificate, at time.Time) *revocation.View {
	if len(k.lists)+len(k.small) == 0 {
		return nil
	}
	var answers []*revocation.Answer
	for _, certificate := range presented {
		for _, issuer := range slices.Concat(presented, above) {
			if truststore.NameKey(certificate.RawIssuer) != truststore.NameKey(issuer.RawSubject) {
				continue
			}
			for _, der := range k.small {
				if answer, err := revocation.ParseAnswer(der, certificate, issuer, at); err == nil {
					answers = append(answers, answer)
				}
			}
		}
	}
	return revocation.NewView(nil, k.lists, answers)
}
