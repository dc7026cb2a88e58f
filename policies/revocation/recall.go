package revocation

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// Recall has known again what these CAs revoke by what is on disk of locations that
// nobody wants: a document may have been edited while nobody ran. It is called once
// the locations are wanted that there are; of each CA the disk is asked once.
// [Fetcher.Settle] puts it in force, if there is something.
func (f *Fetcher) Recall(issuers []*x509.Certificate) (something bool) {
	f.recalling.Lock()
	defer f.recalling.Unlock()
	for _, issuer := range issuers {
		ca := caID(issuer)
		if f.recalled[ca] {
			continue
		}
		f.recalled[ca] = true
		names, err := f.disk.of(caFile(ca))
		f.unused(caFile(ca), err)
		for _, name := range names {
			found, err := f.recall(name, issuer)
			f.unused(name, err)
			something = something || found
		}
	}
	return something
}

func (f *Fetcher) recall(name string, issuer *x509.Certificate) (bool, error) {
	of, _ := splitFile(name)
	if of.mark != markList && of.mark != markRevoked || f.wantsFile(name) {
		return false, nil
	}
	l, limit := Location{Issuers: []*x509.Certificate{issuer}}, int64(MaxCRLBytes)
	if of.mark == markRevoked {
		limit = MaxAnswerBytes
		l.Certificate = &x509.Certificate{SerialNumber: of.serial(), RawIssuer: issuer.RawSubject}
		if l.Certificate.SerialNumber == nil {
			return false, errors.New("its name has no serial number")
		}
	}
	der, err := f.disk.content(name, limit)
	if err != nil {
		return false, err
	}
	one, err := l.read(der, time.Now())
	if err != nil {
		return false, err
	}
	one.der = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.left.at[one.stand()]
	unneeded := f.byFile[of.source] || slices.ContainsFunc(at, func(other leftover) bool { return other.id() == one.id() })
	if unneeded || !one.revokes() || f.isEnded(one) {
		return false, nil
	}
	f.addLeft(leftover{known: one, file: name, since: time.Now()})
	return true, nil
}

func (f *Fetcher) unused(what string, err error) {
	if err != nil {
		f.options.Log.Warn("revocations that were kept on disk are not used", "what", what, "problem", err.Error())
	}
}
