package tokens

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// LooksOurs reports whether the text claims to be a token of ours: it names a key
// of ours, or us as its issuer. That is no proof of anything but what its sender
// wants it taken for, and so of whether it has to be verified.
func (t Terms) LooksOurs(text string) bool {
	if len(text) > MaxTokenBytes {
		return true // whatever it is, it is not looked at: it will not verify
	}
	head, rest, found := strings.Cut(text, ".")
	if !found {
		return false
	}
	var named struct {
		KeyID string `json:"kid"`
	}
	if peek(head, &named) {
		if _, ours := t.Keys.Key(named.KeyID); ours {
			return true
		}
	}
	payload, _, _ := strings.Cut(rest, ".")
	var claimed struct {
		Issuer string `json:"iss"`
	}
	return peek(payload, &claimed) && claimed.Issuer == t.Issuer
}

func peek(encoded string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// HoldsOurs reports whether a token of ours stands anywhere in the text, whatever
// is around it: services split credentials in ways of their own, and some look for
// a token in the password of Basic.
func (t Terms) HoldsOurs(text string) bool {
	for run := range strings.FieldsFuncSeq(text, dividesTokens) {
		if t.runHoldsOurs(run) {
			return true
		}
		if plain, err := base64.RawStdEncoding.DecodeString(run); err == nil && !strings.Contains(run, ".") {
			for inner := range strings.FieldsFuncSeq(string(plain), dividesTokens) {
				if t.runHoldsOurs(inner) {
					return true
				}
			}
		}
	}
	return false
}

// runHoldsOurs looks at every place at which a JWS could begin.
func (t Terms) runHoldsOurs(run string) bool {
	for strings.Count(run, ".") >= 2 {
		if t.LooksOurs(run) {
			return true
		}
		_, run, _ = strings.Cut(run, ".")
	}
	return false
}

// dividesTokens reports what cannot be a part of a compact JWS.
func dividesTokens(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && r != '-' && r != '_' && r != '.'
}
