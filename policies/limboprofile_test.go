package policies_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

var anyCase = regexp.MustCompile("`([a-z0-9]+::[a-z0-9:-]+)`")

func TestTheCompatibleProfileDecidesTheCasesOfLimboOtherwiseThatAreDocumented(t *testing.T) {
	documented := casesNamed(t, "Profiles", anyCase)
	for _, c := range limboCases(t) {
		at := time.Now()
		if c.At != nil {
			at = *c.At
		}
		_, strict := c.path(at, truststore.Strict)
		_, compatible := c.path(at, truststore.Compatible)
		switch other := (strict == nil) != (compatible == nil); {
		case other && strict == nil:
			t.Errorf("%s is accepted by strict alone: %v", c.ID, compatible)
		case other != documented[c.ID]:
			t.Errorf("%s: decided otherwise %t, documented %t (%v)", c.ID, other, documented[c.ID], strict)
		case other && !strings.Contains(strict.Error(), "certificateProfile: compatible"):
			t.Errorf("%s: the denial does not say so: %v", c.ID, strict)
		}
		delete(documented, c.ID)
	}
	for id := range documented {
		t.Errorf("docs/validation.md names %s, which is no case", id)
	}
}
