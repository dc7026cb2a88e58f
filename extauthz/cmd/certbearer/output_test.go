package main

import (
	"testing"
	"time"
)

func TestPrintableEscapesWhatATerminalObeys(t *testing.T) {
	for text, want := range map[string]string{
		"CN=Lab, O=Käse 健康": "CN=Lab, O=Käse 健康",
		"a\x1b[2Jb":         `a\x1b[2Jb`,
		"two\nlines\t":      `two\nlines\t`,
		"c1 \u009b":         `c1 \u009b`,
		"right \u202e left": `right \u202e left`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		4 * time.Minute:              "4m",
		time.Hour:                    "1h",
		time.Hour + 5*time.Minute:    "1h5m",
		90*time.Second + 1:           "1m30s",
		10 * time.Second:             "10s",
		49 * time.Hour:               "2 days",
		time.Hour + 30*time.Second:   "1h0m30s",
		20*time.Hour + 0*time.Second: "20h",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
