package audit

import (
	"crypto/x509"
	"errors"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// SetCause takes field and detail from the error of a decision; nil leaves them.
func (r *Record) SetCause(err error) {
	var denial *decision.Denial
	switch {
	case err == nil:
	case !errors.As(err, &denial):
		r.Detail = err.Error()
	case denial.Cause == nil:
		r.Field = denial.Field
	default:
		r.Field, r.Detail = denial.Field, denial.Cause.Error()
	}
}

// SetCertificate takes what is recorded of a certificate; nil leaves it.
func (r *Record) SetCertificate(leaf *x509.Certificate, thumbprint [32]byte) {
	if leaf == nil {
		return
	}
	r.Thumbprint = thumbprint
	r.Subject, r.SAN, r.Issuer = truststore.SubjectOf(leaf), truststore.AltNameOf(leaf), truststore.IssuerOf(leaf)
	r.Serial, r.NotAfter = leaf.SerialNumber.Text(16), leaf.NotAfter
}

// SetPresented takes the certificates of a refused request, leaf first, so that the
// record alone can be looked into. Public certificates are all that it takes.
func (r *Record) SetPresented(leaf *x509.Certificate, intermediates []*x509.Certificate) {
	if leaf == nil {
		return
	}
	r.Chain = make([][]byte, 0, 1+len(intermediates))
	r.Chain = append(r.Chain, leaf.Raw)
	for _, intermediate := range intermediates {
		r.Chain = append(r.Chain, intermediate.Raw)
	}
}
