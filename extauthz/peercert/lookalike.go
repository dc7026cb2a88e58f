package peercert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// suggest adds to the refusal of a value which formats it resembles, if the
// configured one is not among them: the usual cause, where all callers of a proxy
// are refused. It is a word for the operator, and never how the value is read.
func (f Format) suggest(value string, err error) error {
	var denial *decision.Denial
	if !errors.As(err, &denial) || denial.Reason != decision.CertificateMalformed {
		return err
	}
	alike := lookalikes(value)
	if len(alike) == 0 || slices.Contains(alike, string(f)) {
		return err
	}
	return decision.Deny(denial.Reason, denial.Field,
		fmt.Errorf("%w; the format is %s, and the value begins like %s", denial.Cause, f, strings.Join(alike, " or ")))
}

// lookalikes names the formats of whose certificates the value has the beginning.
func lookalikes(value string) []string {
	has := func(beginning string) bool { return strings.HasPrefix(value, beginning) }
	switch {
	case has("-----BEGIN%20"), has("-----BEGIN+"), has(pemBegin + "%0"):
		return []string{string(FormatNginx), string(FormatALB), string(FormatALBLeaf)}
	case has(pemBegin + " "):
		return []string{string(FormatApache)}
	case has(":MI"):
		return []string{string(FormatRFC9440)}
	case has("MI") && strings.Contains(value, ","):
		return []string{string(FormatTraefik)}
	case has("MI"): // the beginning of any DER of 128 bytes or more
		return []string{string(FormatHAProxy), string(FormatTraefik)}
	case has("Hash="), has("By="), has("["):
		return []string{string(XFCC)}
	}
	return nil
}
