package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// tokenView is what token inspect prints.
type tokenView struct {
	Header    map[string]any `json:"header"`
	Claims    map[string]any `json:"claims"`
	Validity  validity       `json:"validity"`
	BoundTo   string         `json:"bound_to,omitempty"` // SHA-256 of a certificate, hexadecimal
	Signature signatureCheck `json:"signature"`
}

// validity is what the times of a token come to.
type validity struct {
	OK      bool     `json:"ok"`
	Remarks []string `json:"remarks"`
}

// signatureCheck is what the signature comes to.
type signatureCheck struct {
	Checked bool   `json:"checked"`
	Keys    string `json:"keys,omitempty"` // the key set, or the configuration, that it was checked by
	Valid   bool   `json:"valid"`
	KID     string `json:"kid,omitempty"`    // of the key that verifies it
	Detail  string `json:"detail,omitempty"` // why it is not valid or not checked
}

func newTokenView(token *decodedToken, at time.Time) *tokenView {
	return &tokenView{
		Header:    token.header,
		Claims:    token.claims,
		Validity:  judgeTimes(token, at),
		BoundTo:   hex.EncodeToString(token.boundTo()),
		Signature: signatureCheck{Detail: "no --jwks, and no configuration"},
	}
}

// judgeTimes allows no leeway: whoever asks wants to see a clock that is off.
func judgeTimes(token *decodedToken, at time.Time) validity {
	v := validity{OK: true}
	v.judge(token, "exp", true, func(end time.Time) (string, bool) {
		if !at.Before(end) {
			return "expired " + span(at.Sub(end)) + " ago", false
		}
		return "expires in " + span(end.Sub(at)), true
	})
	v.judge(token, "iat", false, func(issued time.Time) (string, bool) {
		if at.Before(issued) {
			return "issued " + span(issued.Sub(at)) + " from now: a clock is wrong", false
		}
		return "issued " + span(at.Sub(issued)) + " ago", true
	})
	v.judge(token, "nbf", false, func(start time.Time) (string, bool) {
		if at.Before(start) {
			return "not valid before " + span(start.Sub(at)) + " from now", false
		}
		return "", true
	})
	return v
}

func (v *validity) judge(token *decodedToken, claim string, required bool, say func(time.Time) (string, bool)) {
	at, present, err := token.date(claim)
	var remark string
	ok := true
	switch {
	case err != nil:
		remark, ok = claim+" "+err.Error(), false
	case present:
		remark, ok = say(at)
	case required:
		remark, ok = "never expires: it has no "+claim, false
	}
	v.OK = v.OK && ok
	if remark != "" {
		v.Remarks = append(v.Remarks, remark)
	}
}

func (v *tokenView) good() bool {
	return v.Validity.OK && (!v.Signature.Checked || v.Signature.Valid)
}

func (v *tokenView) print(w io.Writer) error {
	var b strings.Builder
	section(&b, "header", v.Header, "typ", "alg", "kid")
	section(&b, "claims", v.Claims, "iss", "sub", "client_id", "aud", "scope", "iat", "nbf", "exp", "jti", "cnf")
	if v.BoundTo != "" {
		fmt.Fprintf(&b, "bound to: the certificate with SHA-256 %s\n", v.BoundTo)
	}
	fmt.Fprintf(&b, "times: %s\n", strings.Join(v.Validity.Remarks, ", "))
	if v.Signature.Keys != "" {
		fmt.Fprintf(&b, "keys: %s\n", printable(v.Signature.Keys))
	}
	fmt.Fprintf(&b, "signature: %s\n", printable(v.Signature.String()))
	_, err := io.WriteString(w, b.String())
	return err
}

func (s signatureCheck) String() string {
	switch {
	case !s.Checked:
		return "not checked: " + s.Detail
	case !s.Valid:
		return "INVALID: " + s.Detail
	case s.KID == "":
		return "valid"
	}
	return "valid, key " + s.KID
}

// section writes the members of an object, those with a known place first.
func section(b *strings.Builder, title string, object map[string]any, order ...string) {
	fmt.Fprintf(b, "%s:\n", title)
	names := slices.SortedFunc(maps.Keys(object), func(x, y string) int {
		if rank := place(order, x) - place(order, y); rank != 0 {
			return rank
		}
		return strings.Compare(x, y)
	})
	for _, name := range names {
		fmt.Fprintf(b, "  %s: %s\n", printable(name), printable(valueText(object[name])))
	}
}

func place(order []string, name string) int {
	if at := slices.Index(order, name); at >= 0 {
		return at
	}
	return len(order)
}

// valueText writes strings plain and the rest as JSON.
func valueText(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "cannot be shown"
	}
	return string(encoded)
}
