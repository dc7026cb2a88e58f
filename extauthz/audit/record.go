package audit

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// Record is one decision. Its JSON is an interface: names and meanings stay.
// time, decision, reason, generation and duration_us are always there; the rest
// is left out when it is empty, token_cached when there is no token_id. A
// record never holds a token, an Authorization header, a query or a key.
//
//	time          RFC 3339 with nanoseconds, UTC
//	request_id    Envoy's x-request-id
//	decision      "allow" or "deny", as the reason has it
//	mode          "shadow" where the decision was not carried out: the request passed as it came
//	reason        the text of a decision.Reason
//	field         where the fault lies
//	detail        the cause in words, without control characters
//	client        the client's id
//	route         the name of the route
//	method        of the HTTP request
//	host          of the HTTP request
//	path          of the HTTP request, without the query
//	source        the address of the caller's connection to the proxy
//	thumbprint    SHA-256 of the certificate, base64url without padding: the x5t#S256 of the token's cnf (RFC 8705 section 3.1)
//	subject       of the certificate, RFC 2253
//	issuer        of the certificate, RFC 2253
//	serial        of the certificate, hexadecimal
//	not_after     of the certificate, RFC 3339, UTC
//	token_id      jti of the token that was handed out
//	token_cached  whether that token was made for an earlier request
//	generation    of the State that decided
//	duration_us   how long the decision took, in microseconds
//
// Texts are cut at their bound ([MaxDetail], [MaxPath] and the like) with an
// ellipsis at the end.
type Record struct {
	Time        time.Time
	RequestID   string
	Shadow      bool
	Reason      decision.Reason
	Field       string
	Detail      string
	Client      string
	Route       string
	Method      string
	Host        string
	Path        string
	Source      string
	Thumbprint  [32]byte // zero: none
	Subject     string
	Issuer      string
	Serial      string
	NotAfter    time.Time
	TokenID     string
	TokenCached bool
	Generation  uint64
	Duration    time.Duration
}

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
	to = r.appendRequest(to)
	to = r.appendCertificate(to)
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
	return appendText(to, "source", r.Source, MaxText)
}

func (r *Record) appendCertificate(to []byte) []byte {
	if r.Thumbprint != [32]byte{} {
		to = append(to, `,"thumbprint":"`...)
		to = base64.RawURLEncoding.AppendEncode(to, r.Thumbprint[:])
		to = append(to, '"')
	}
	to = appendText(to, "subject", r.Subject, MaxName)
	to = appendText(to, "issuer", r.Issuer, MaxName)
	to = appendText(to, "serial", r.Serial, MaxText)
	if r.NotAfter.IsZero() {
		return to
	}
	to = append(to, `,"not_after":"`...)
	to = r.NotAfter.UTC().AppendFormat(to, time.RFC3339)
	return append(to, '"')
}

func (r *Record) appendToken(to []byte) []byte {
	if r.TokenID == "" {
		return to
	}
	to = appendText(to, "token_id", r.TokenID, MaxText)
	to = append(to, `,"token_cached":`...)
	return strconv.AppendBool(to, r.TokenCached)
}
