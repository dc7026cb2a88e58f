package main

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/policies/decision"
)

func TestEveryReasonHasOneSentenceOfAdvice(t *testing.T) {
	seen := make(map[string]decision.Reason)
	for _, reason := range decision.Reasons() {
		text := advice(reason)
		if text == "" {
			t.Errorf("%s has no advice", reason)
			continue
		}
		if !strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
			t.Errorf("%s: %q is no sentence", reason, text)
		}
		if other, twice := seen[text]; twice {
			t.Errorf("%s and %s have the same advice", reason, other)
		}
		seen[text] = reason
	}
}
