package policies

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The token endpoint's tokens live an hour unless the document says otherwise,
// and never less or longer than these.
const (
	DefaultAccessTokenLifetime = time.Hour
	MinAccessTokenLifetime     = time.Minute
	MaxAccessTokenLifetime     = 24 * time.Hour
)

var errLifetimeForm = errors.New("does not have the form 3600s, 60m or 1h")

// parseLifetime reads Medplum's form `^[0-9]+[smhdwy]$`. What is longer than a
// day becomes a day, with a warning; what is shorter than a minute is an
// error. The digits may be any number: none overflows into a short time.
func parseLifetime(text string) (lifetime time.Duration, warning string, err error) {
	if len(text) < 2 || len(text) > 64 {
		return 0, "", errLifetimeForm
	}
	digits, unit := text[:len(text)-1], unitOf(text[len(text)-1])
	for _, digit := range digits {
		if digit < '0' || digit > '9' {
			unit = 0
		}
	}
	if unit == 0 {
		return 0, "", errLifetimeForm
	}
	count, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || count > uint64(MaxAccessTokenLifetime/unit) {
		return MaxAccessTokenLifetime, fmt.Sprintf("%s is longer than %s, which is used", text, MaxAccessTokenLifetime), nil
	}
	lifetime = time.Duration(count) * unit
	if lifetime < MinAccessTokenLifetime {
		return 0, "", fmt.Errorf("%s is shorter than %s", text, MinAccessTokenLifetime)
	}
	return lifetime, "", nil
}

func unitOf(letter byte) time.Duration {
	switch letter {
	case 's':
		return time.Second
	case 'm':
		return time.Minute
	case 'h':
		return time.Hour
	case 'd':
		return 24 * time.Hour
	case 'w':
		return 7 * 24 * time.Hour
	case 'y':
		return 365 * 24 * time.Hour
	}
	return 0
}
