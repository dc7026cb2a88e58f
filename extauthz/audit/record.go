package audit

import (
	"encoding/base64"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// Record is one decision. Its JSON is an interface: names and meanings stay.
// time, decision, reason, generation and duration_us are always there; the rest
// is left out when it is empty, token_cached when there is no token_id. A
// record never holds a token, an Authorization header, a query or a private key.
//
//	time          RFC 3339 with nanoseconds, UTC
//	request_id    Envoy's x-request-id
//	decision      "allow" or "deny", as the reason has it
//	mode          "shadow" where the decision was not carried out: the request passed as it came
//	reason        the text of a decision.Reason
//	field         where the fault lies
//	detail        the cause in words, without control characters
//	client        the client's id
//	client_id     the client that the request names: the parameter of an endpoint, or that of a verified token of ours
//	candidates    of a refusal, the clients that the certificate came near to, at most five: client, and why it did and fell
//	route         the name of the route
//	method        of the HTTP request
//	host          of the HTTP request
//	path          of the HTTP request, without the query
//	source        the address of the caller's connection to the proxy
//	authorization of a refusal, true if the request had an Authorization header
//	proxy         the name of the proxy that asked, as the configuration's proxies have it
//	evidence      where the certificate is read: peer, xfcc, header, statement or tls
//	chain_length  the number of different certificates that were presented, the leaf included
//	thumbprint    SHA-256 of the certificate, base64url without padding: the x5t#S256 of the token's cnf (RFC 8705 section 3.1)
//	subject       of the certificate, RFC 2253
//	issuer        of the certificate, RFC 2253
//	serial        of the certificate, hexadecimal
//	not_after     of the certificate, RFC 3339, UTC
//	revocation    of an accepted certificate that was asked about: "good", or the reason for which hard mode would have refused
//	certificate   of a refusal, the certificate as PEM, once in a while: see [Recorder.Write]
//	intermediates those that were presented beside it, as PEM, in their order; with certificate only
//	token_id      jti of the token that was handed out
//	token_cached  whether that token was made for an earlier request
//	generation    of the State that decided
//	duration_us   how long the decision took, in microseconds
//
// Texts are cut at their bound ([MaxDetail], [MaxPath] and the like) with an
// ellipsis at the end.
type Record struct {
	Time       time.Time
	RequestID  string
	Shadow     bool
	Reason     decision.Reason
	Field      string
	Detail     string
	Client     string
	ClientID   string
	Candidates []Candidate
	Route      string
	Method     string
	Host       string
	Path       string
	Source     string
	// Authorization: the request had such a header.
	Authorization bool
	Proxy         string
	Evidence      string
	ChainLength   int
	// Chain are the certificates that were presented, DER, leaf first.
	Chain       [][]byte
	Thumbprint  [32]byte // zero: none
	Subject     string
	SAN         string // stands for a subject that is empty: see truststore.AltNameOf
	Issuer      string
	Serial      string
	NotAfter    time.Time
	Revocation  string
	TokenID     string
	TokenCached bool
	Generation  uint64
	Duration    time.Duration
}

// Candidate is a client that a certificate came near to.
type Candidate struct{ Client, Why string }

// MaxCandidates bounds those of a record, and MaxChain the certificates in one, in
// bytes of DER: whole ones are left out from the end. Paths of real CAs have 3 to 5
// KiB.
const (
	MaxCandidates = 5
	MaxChain      = 16 << 10
)

// The bounds of a record's texts, in bytes before escaping, the ellipsis
// included.
const (
	MaxDetail = 512
	MaxPath   = 1024
	MaxName   = 1024 // subject and issuer
	MaxText   = 256  // every other
)

// AppendJSON appends the record as one JSON object without a line break,
// whatever the texts hold: what could break a line, an escape sequence of a
// terminal or the direction of writing is escaped, bytes that are no UTF-8
// become U+FFFD.
func (r *Record) AppendJSON(to []byte) []byte {
	to = append(to, `{"time":"`...)
	to = r.Time.UTC().AppendFormat(to, time.RFC3339Nano)
	to = append(to, '"')
	to = appendText(to, "request_id", r.RequestID, MaxText)
	to = r.appendDecision(to)
	to = appendText(to, "field", r.Field, MaxText)
	to = appendDetail(to, r.Detail)
	to = appendText(to, "client", r.Client, MaxText)
	to = appendText(to, "client_id", r.ClientID, MaxText)
	to = r.appendCandidates(to)
	to = r.appendRequest(to)
	to = r.appendCertificate(to)
	to = r.appendChain(to)
	to = r.appendToken(to)
	to = append(to, `,"generation":`...)
	to = strconv.AppendUint(to, r.Generation, 10)
	to = append(to, `,"duration_us":`...)
	to = strconv.AppendInt(to, max(0, r.Duration.Microseconds()), 10)
	return append(to, '}')
}

func (r *Record) appendDecision(to []byte) []byte {
	if r.Reason.Allows() {
		to = append(to, `,"decision":"allow"`...)
	} else {
		to = append(to, `,"decision":"deny"`...)
	}
	if r.Shadow {
		to = append(to, `,"mode":"shadow"`...)
	}
	to = append(to, `,"reason":"`...)
	return append(append(to, r.Reason.String()...), '"')
}

func (r *Record) appendRequest(to []byte) []byte {
	to = appendText(to, "route", r.Route, MaxText)
	to = appendText(to, "method", r.Method, MaxText)
	to = appendText(to, "host", r.Host, MaxText)
	// Queries and fragments carry secrets, so they are cut off here as well.
	path := r.Path
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	to = appendText(to, "path", path, MaxPath)
	to = appendText(to, "source", r.Source, MaxText)
	if r.Authorization {
		to = append(to, `,"authorization":true`...)
	}
	to = appendText(to, "proxy", r.Proxy, MaxText)
	return appendText(to, "evidence", r.Evidence, MaxText)
}

func (r *Record) appendCandidates(to []byte) []byte {
	if len(r.Candidates) == 0 {
		return to
	}
	to = append(to, `,"candidates":[`...)
	for i, candidate := range r.Candidates[:min(len(r.Candidates), MaxCandidates)] {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, `{"client":"`...)
		to = append(appendBounded(to, candidate.Client, MaxText), '"')
		to = append(appendText(to, "why", candidate.Why, MaxText), '}')
	}
	return append(to, ']')
}

// appendChain writes whole certificates, as many as there is room for.
func (r *Record) appendChain(to []byte) []byte {
	room := MaxChain
	for i, der := range r.Chain {
		if room -= len(der); room < 0 {
			break
		}
		switch i {
		case 0:
			to = append(to, `,"certificate":"`...)
		case 1:
			to = append(to, `","intermediates":"`...)
		}
		to = appendEscaped(to, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	if len(r.Chain) > 0 && len(r.Chain[0]) <= MaxChain {
		to = append(to, '"')
	}
	return to
}

func (r *Record) appendCertificate(to []byte) []byte {
	if r.ChainLength > 0 {
		to = append(to, `,"chain_length":`...)
		to = strconv.AppendInt(to, int64(r.ChainLength), 10)
	}
	if r.Thumbprint != [32]byte{} {
		to = append(to, `,"thumbprint":"`...)
		to = base64.RawURLEncoding.AppendEncode(to, r.Thumbprint[:])
		to = append(to, '"')
	}
	to = appendText(to, "subject", r.Subject, MaxName)
	to = appendText(to, "san", r.SAN, MaxName)
	to = appendText(to, "issuer", r.Issuer, MaxName)
	to = appendText(to, "serial", r.Serial, MaxText)
	if !r.NotAfter.IsZero() {
		to = append(to, `,"not_after":"`...)
		to = r.NotAfter.UTC().AppendFormat(to, time.RFC3339)
		to = append(to, '"')
	}
	return appendText(to, "revocation", r.Revocation, MaxText)
}

func (r *Record) appendToken(to []byte) []byte {
	if r.TokenID == "" {
		return to
	}
	to = appendText(to, "token_id", r.TokenID, MaxText)
	to = append(to, `,"token_cached":`...)
	return strconv.AppendBool(to, r.TokenCached)
}
