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
