package peercert

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// StatementHeader carries what certbearer's ext_authz side states about a
// connection to certbearer's own endpoints. Envoy takes it off what callers send.
const StatementHeader = "certbearer-statement"

const (
	// MaxStatementBytes bounds a statement: it is a header beside others.
	MaxStatementBytes = 16 << 10
	// StatementLifetime is from iat to exp.
	StatementLifetime = 10 * time.Second
	// statementSkew is how far the clocks of two replicas may lie apart.
	statementSkew = 5 * time.Second

	statementTyp    = "certbearer-cert+jwt"
	statementIssuer = "certbearer"
)

// StatementKey is a key shared by whoever signs and whoever reads statements.
type StatementKey struct {
	ID     string
	Secret []byte
}

// Format answers every fmt verb with the key's name.
func (k StatementKey) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "statement key %s", k.ID)
}

// StatementTerms are what a statement is held to.
type StatementTerms struct {
	// Key returns the secret of a key by its name.
	Key func(id string) (secret []byte, known bool)
	// Endpoint is the URL that the statement has to be for, Method the method of
	// the request.
	Endpoint string
	Method   string
	At       time.Time
}

// statement is the payload: which certificate the connection proved, for one
// request to one endpoint, now.
type statement struct {
	Issuer   string   `json:"iss"`
	Endpoint string   `json:"aud"`
	Method   string   `json:"htm"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	Chain    []string `json:"x5c"` // standard base64 of DER, leaf first (RFC 7515 section 4.1.6)
}

// SignStatement states the evidence for one request: a JWS with HS256. The error
// is EvidenceTooLarge, or one of encoding.
func SignStatement(key StatementKey, evidence Evidence, endpoint, method string, at time.Time) (string, error) {
	issued := at.Unix()
	s := statement{
		Issuer: statementIssuer, Endpoint: endpoint, Method: method,
		IssuedAt: issued, Expires: issued + int64(StatementLifetime/time.Second),
	}
	for _, certificate := range append([]*x509.Certificate{evidence.Leaf}, evidence.Intermediates...) {
		s.Chain = append(s.Chain, base64.StdEncoding.EncodeToString(certificate.Raw))
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("peercert: encoding a statement: %w", err)
	}
	head, err := statementHead(key.ID)
	if err != nil {
		return "", err
	}
	input := head + "." + base64.RawURLEncoding.EncodeToString(payload)
	text := input + "." + base64.RawURLEncoding.EncodeToString(statementMAC(key.Secret, input))
	if len(text) > MaxStatementBytes {
		return "", decision.Denyf(decision.EvidenceTooLarge, StatementHeader, "a statement of %d bytes: at most %d are passed on", len(text), MaxStatementBytes)
	}
	return text, nil
}

// statementHead is the one header that a statement with the key has.
func statementHead(id string) (string, error) {
	head, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Typ       string `json:"typ"`
	}{"HS256", id, statementTyp})
	if err != nil {
		return "", fmt.Errorf("peercert: encoding a statement: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(head), nil
}

func statementMAC(secret []byte, input string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return mac.Sum(nil)
}

// fromStatement believes the header if it is one, signed by us for this request.
func (r *Reader) fromStatement(p Presented) (Evidence, error) {
	values := p.header(StatementHeader)
	switch {
	case len(values) == 0:
		return Evidence{}, decision.Denyf(decision.CertificateMissing, StatementHeader, "absent")
	case len(values) > 1:
		return Evidence{}, decision.Denyf(decision.StatementInvalid, StatementHeader, "%d of them", len(values))
	case len(values[0]) > MaxStatementBytes:
		return Evidence{}, decision.Denyf(decision.EvidenceTooLarge, StatementHeader, "more than %d bytes", MaxStatementBytes)
	case p.Statement == nil || p.Statement.Key == nil:
		return Evidence{}, decision.Denyf(decision.InternalError, StatementHeader, "there is nothing to hold a statement to")
	}
	s, err := p.Statement.open(values[0])
	if err != nil {
		return Evidence{}, decision.Deny(decision.StatementInvalid, StatementHeader, err)
	}
	return s.evidence()
}

// open returns the payload. Before the MAC is known to be right nothing of the
// text is used but the name of the key.
func (t *StatementTerms) open(text string) (*statement, error) {
	cut := strings.LastIndexByte(text, '.')
	if cut < 0 {
		return nil, fmt.Errorf("is no JWS")
	}
	input, signature := text[:cut], text[cut+1:]
	head, payload, found := strings.Cut(input, ".")
	if !found {
		return nil, fmt.Errorf("is no JWS")
	}
	if err := t.authentic(head, input, signature); err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil {
		return nil, fmt.Errorf("payload: is no base64url")
	}
	var s statement
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("payload: is no statement")
	}
	return &s, t.holds(&s)
}

func (t *StatementTerms) authentic(head, input, signature string) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(head)
	if err != nil {
		return fmt.Errorf("header: is no base64url")
	}
	var named struct {
		KeyID string `json:"kid"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return fmt.Errorf("header: is no JSON object")
	}
	secret, known := t.Key(named.KeyID)
	if !known || len(secret) == 0 {
		return fmt.Errorf("kid: no key of that name")
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || !hmac.Equal(given, statementMAC(secret, input)) {
		return fmt.Errorf("the signature is not of the key")
	}
	// The key signs nothing else. Still, only this one header is a statement's.
	if want, err := statementHead(named.KeyID); err != nil || head != want {
		return fmt.Errorf("header: is not a statement's")
	}
	return nil
}

func (t *StatementTerms) holds(s *statement) error {
	at, issued, expires := t.At.Unix(), s.IssuedAt, s.Expires
	skew := int64(statementSkew / time.Second)
	switch {
	case s.Issuer != statementIssuer:
		return fmt.Errorf("iss: is not %s", statementIssuer)
	case s.Endpoint != t.Endpoint:
		return fmt.Errorf("aud: is another endpoint")
	case s.Method != t.Method:
		return fmt.Errorf("htm: is another method")
	case expires-issued != int64(StatementLifetime/time.Second):
		return fmt.Errorf("exp: is not %s after iat", StatementLifetime)
	case issued > at+skew:
		return fmt.Errorf("iat: is to come")
	case at > expires+skew:
		return fmt.Errorf("exp: has passed")
	}
	return nil
}

// evidence parses the certificates, within the bounds of all evidence.
func (s *statement) evidence() (Evidence, error) {
	if len(s.Chain) == 0 || len(s.Chain) > MaxCertificates {
		return Evidence{}, decision.Denyf(decision.StatementInvalid, StatementHeader, "%d certificates", len(s.Chain))
	}
	ders := make([][]byte, len(s.Chain))
	for i, text := range s.Chain {
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return Evidence{}, decision.Denyf(decision.StatementInvalid, StatementHeader, "certificate %d is no base64", i+1)
		}
		ders[i] = der
	}
	return evidenceOf(ders, field{in: StatementHeader})
}
