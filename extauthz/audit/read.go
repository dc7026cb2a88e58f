package audit

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/certbearer/certbearer/policies/decision"
)

// MaxRecordBytes bounds the line of a record when it is read: each text escaped to
// six times its length, and the certificates.
const MaxRecordBytes = 128 << 10

// Recorded is a record that was read.
type Recorded struct {
	Time          time.Time           `json:"time"`
	RequestID     string              `json:"request_id"`
	Decision      string              `json:"decision"`
	Mode          string              `json:"mode"`
	Reason        decision.Reason     `json:"reason"`
	Field         string              `json:"field"`
	Detail        string              `json:"detail"`
	Client        string              `json:"client"`
	ClientID      string              `json:"client_id"`
	Candidates    []RecordedCandidate `json:"candidates"`
	Route         string              `json:"route"`
	Method        string              `json:"method"`
	Host          string              `json:"host"`
	Path          string              `json:"path"`
	Source        string              `json:"source"`
	Authorization bool                `json:"authorization"`
	Proxy         string              `json:"proxy"`
	Evidence      string              `json:"evidence"`
	ChainLength   int                 `json:"chain_length"`
	// Thumbprint is "" where there was no certificate, and else 32 bytes of base64url.
	Thumbprint    string    `json:"thumbprint"`
	Subject       string    `json:"subject"`
	SAN           string    `json:"san"`
	Issuer        string    `json:"issuer"`
	Serial        string    `json:"serial"`
	NotAfter      time.Time `json:"not_after"`
	Revocation    string    `json:"revocation"`
	Certificate   string    `json:"certificate"`
	Intermediates string    `json:"intermediates"`
	TokenID       string    `json:"token_id"`
	TokenCached   bool      `json:"token_cached"`
	Generation    uint64    `json:"generation"`
	DurationUS    int64     `json:"duration_us"`

	// Chain are the certificates of Certificate and Intermediates, leaf first.
	Chain []*x509.Certificate `json:"-"`
}

// RecordedCandidate is a Candidate that was read.
type RecordedCandidate struct {
	Client string `json:"client"`
	Why    string `json:"why"`
}

// ReadRecord reads the line of one record, strictly: what [Record.AppendJSON] does
// not write is an error, which names the field and never quotes a value.
func ReadRecord(line []byte) (Recorded, error) {
	var r Recorded
	line = bytes.TrimSpace(line)
	switch {
	case len(line) > MaxRecordBytes:
		return r, fmt.Errorf("has more than %d bytes", MaxRecordBytes)
	case !utf8.Valid(line):
		return r, errors.New("is not UTF-8")
	}
	if err := checkMembers(line); err != nil {
		return r, err
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Recorded{}, inField(err)
	}
	if err := r.check(); err != nil {
		return Recorded{}, err
	}
	return r, nil
}

// checkMembers reports what is no object of a record: encoding/json would take
// names in any case, and the last of two.
func checkMembers(line []byte) error {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(line, &whole); err != nil || whole == nil {
		return errors.New("is no JSON object")
	}
	if _, other := whole["event"]; other {
		return errors.New("is no record of a decision: it says that records were dropped")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	_, _ = decoder.Token()
	seen := make(map[string]bool, len(whole))
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return errors.New("is no JSON object")
		}
		text, _ := name.(string)
		switch {
		case !isMember(text):
			return errors.New("has a field that no record has")
		case seen[text]:
			return errors.New(text + ": stands twice")
		}
		seen[text] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return errors.New("is no JSON object")
		}
		if string(value) == "null" {
			return errors.New(text + ": has no value")
		}
	}
	for _, name := range []string{"time", "decision", "reason"} {
		if !seen[name] {
			return errors.New(name + ": is missing: this is no record of a decision")
		}
	}
	return nil
}

func isMember(name string) bool {
	switch name {
	case "time", "request_id", "decision", "mode", "reason", "field", "detail", "client", "client_id", "candidates", "route", "method",
		"host", "path", "source", "authorization", "proxy", "evidence", "chain_length", "thumbprint", "subject", "san", "issuer", "serial", "not_after",
		"revocation", "certificate", "intermediates", "token_id", "token_cached", "generation", "duration_us":
		return true
	}
	return false
}

// inField says which field cannot be read, without what stands there.
func inField(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s: is of another type", wrong.Field)
	}
	return errors.New("a field has a value that no record has")
}

func (r *Recorded) check() error {
	switch want := r.Reason.Allows(); {
	case r.Time.IsZero():
		return errors.New("time: is missing")
	case want && r.Decision != "allow", !want && r.Decision != "deny":
		return errors.New("decision: is not that of the reason")
	case r.Mode != "" && r.Mode != "shadow":
		return errors.New("mode: is not shadow")
	case len(r.Candidates) > MaxCandidates:
		return fmt.Errorf("candidates: more than %d", MaxCandidates)
	case r.ChainLength < 0, r.Thumbprint == "" && r.ChainLength > 0:
		return errors.New("chain_length: cannot be")
	}
	if r.Thumbprint == "" {
		if r.Certificate != "" || r.Intermediates != "" {
			return errors.New("thumbprint: is missing beside a certificate")
		}
		return nil
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(r.Thumbprint)
	if err != nil || len(sum) != sha256.Size {
		return errors.New("thumbprint: is not 32 bytes of base64url")
	}
	return r.readChain([sha256.Size]byte(sum))
}

func (r *Recorded) readChain(thumbprint [sha256.Size]byte) error {
	leaf, err := readPEM("certificate", r.Certificate)
	if err != nil {
		return err
	}
	others, err := readPEM("intermediates", r.Intermediates)
	switch {
	case err != nil:
		return err
	case len(leaf) == 0 && len(others) > 0, len(leaf) > 1:
		return errors.New("certificate: is not one certificate")
	case len(leaf) == 0:
		return nil
	case sha256.Sum256(leaf[0].Raw) != thumbprint:
		return errors.New("certificate: is another one than that of thumbprint")
	case len(leaf)+len(others) > r.ChainLength:
		return errors.New("intermediates: are more than chain_length says")
	}
	r.Chain = append(leaf, others...)
	return nil
}

// readPEM takes certificates one after the other and nothing else.
func readPEM(field, text string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := []byte(text); len(rest) > 0; {
		block, after := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return nil, fmt.Errorf("%s: is not PEM certificates alone", field)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d cannot be read", field, len(all)+1)
		}
		all, rest = append(all, certificate), after
	}
	return all, nil
}
