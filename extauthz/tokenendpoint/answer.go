package tokenendpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// write writes an answer that must not be stored (RFC 6749 section 5.1).
func write(w http.ResponseWriter, status int, body result) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	header.Set("X-Content-Type-Options", "nosniff")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	text, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // whoever asked has gone
}

// refuse writes the class of the reason (RFC 6749 section 5.2). It is the same for
// a client that is unknown and for a certificate that is wrong.
func (x *exchange) refuse(w http.ResponseWriter, err error) {
	answer, _ := oauthanswer.Of(decision.ReasonOf(err))
	if text := faultyParameter(err); text != "" {
		answer.Description = text
	}
	switch answer.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", challenge(x.scheme))
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", oauthanswer.RetryAfter)
	}
	write(w, answer.Status, json.RawMessage(answer.Body()))
}

// faultyParameter says which parameter is at fault, and how, "" if none is. It has
// our own words alone, nothing of what was sent.
func faultyParameter(err error) string {
	var denial *decision.Denial
	if !errors.As(err, &denial) || denial.Reason != decision.ParameterInvalid || denial.Cause == nil {
		return ""
	}
	return denial.Field + " " + denial.Cause.Error()
}

// challenge is for the scheme that the client has used (RFC 6749 section 5.2).
// HTTP wants one with every 401, and has none for certificates.
func challenge(scheme string) string {
	if strings.EqualFold(scheme, "basic") {
		return `Basic realm="certbearer"`
	}
	return "Bearer"
}

// record writes the one audit record of the exchange and counts it.
func (x *exchange) record(name string, err error) {
	reason := x.reason
	if err != nil {
		reason = decision.ReasonOf(err)
	}
	x.server.config.Metrics.Answered(name, reason)
	x.countCertificate()
	record := audit.Record{
		Time:       x.at,
		RequestID:  x.server.config.RequestID(x.request),
		Reason:     reason,
		Route:      name,
		Method:     x.request.Method,
		Host:       x.request.Host,
		Path:       x.request.URL.Path,
		Source:     x.server.config.Source(x.request),
		TokenID:    x.tokenID,
		Generation: x.state.Generation,
		Duration:   time.Since(x.at),
	}
	var unknown error
	record.Revocation, unknown = x.identity.Revocation()
	record.SetCause(cmp.Or(err, unknown))
	if client := x.identity.Client; client != nil {
		record.Client = client.ID()
	}
	record.SetCertificate(x.identity.Evidence.Leaf, x.identity.Evidence.Thumbprint)
	record.Evidence, record.Proxy = x.server.config.Authenticator.Source(), x.server.config.Authenticator.Proxy()
	if id := x.form.get("client_id"); policies.ValidID(id) {
		record.ClientID = id
	}
	if leaf := x.identity.Evidence.Leaf; leaf != nil {
		record.ChainLength = 1 + len(x.identity.Evidence.Intermediates)
	}
	if err != nil {
		x.recordRefusal(&record)
	}
	x.server.config.Audit.Write(&record)
}

// countCertificate counts one that the client's trust store accepted, whatever became
// of the request.
func (x *exchange) countCertificate() {
	if x.identity.Accepted.Until.IsZero() {
		return
	}
	x.server.config.Metrics.Accepted(x.identity.Kept)
	_, unknown := x.identity.Revocation()
	if unknown == nil {
		return
	}
	x.server.config.Metrics.RevocationUnknown(decision.ReasonOf(unknown))
	if x.server.config.RevocationUnknown != nil {
		x.server.config.RevocationUnknown(x.identity.Client.ID(), unknown)
	}
}

// recordRefusal adds what makes the record enough to look into the refusal.
func (x *exchange) recordRefusal(record *audit.Record) {
	record.Authorization = len(x.request.Header["Authorization"]) > 0
	record.SetPresented(x.identity.Evidence.Leaf, x.identity.Evidence.Intermediates)
	for _, near := range x.identity.Candidates(x.state, record.ClientID) {
		record.Candidates = append(record.Candidates, audit.Candidate{Client: near.ID, Why: near.Why})
	}
}
