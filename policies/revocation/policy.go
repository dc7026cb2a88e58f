package revocation

import "fmt"

// Mode is how a client takes revocation. The zero value is Off: a document that
// says nothing of it asks for nothing.
type Mode uint8

// The modes. In Off nothing is asked. In Soft a certificate is refused if it is
// known to be revoked, and let through where nothing current is known; in Hard it
// is refused there too.
const (
	Off Mode = iota
	Soft
	Hard
)

// ParseMode reads "off", "soft" or "hard".
func ParseMode(text string) (Mode, error) {
	for _, m := range []Mode{Off, Soft, Hard} {
		if text == m.String() {
			return m, nil
		}
	}
	return Off, fmt.Errorf("%q is none of off, soft and hard", text)
}

// String returns the mode as documents write it.
func (m Mode) String() string {
	switch m {
	case Soft:
		return "soft"
	case Hard:
		return "hard"
	}
	return "off"
}

// Policy is what a client asks of revocation.
type Policy struct {
	Mode Mode
}
