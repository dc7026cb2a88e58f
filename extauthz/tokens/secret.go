package tokens

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[token]"

// Secret holds a token and shows it to [Secret.Reveal] only. Every fmt verb,
// JSON and other text encodings, and log/slog get "[token]" instead. The zero
// value holds no token.
type Secret struct {
	// fmt calls no method of a value in an unexported field, wherever a struct
	// embeds this one: it prints the fields. Of a pointer it prints the address.
	text *string
}

func conceal(text string) Secret { return Secret{text: &text} }

// Reveal returns the token, or "" for the zero value. It is for the one place
// that puts the token on a request or into an answer.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns "[token]".
func (s Secret) String() string { return redacted }

// GoString returns "[token]".
func (s Secret) GoString() string { return redacted }

// Format writes "[token]" for every verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText returns "[token]"; encoding/json uses it as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[token]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
