package main

import (
	"bytes"
	"encoding/json"
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

func TestPrintedJSONHoldsNothingThatATerminalObeysAndMeansTheSame(t *testing.T) {
	const text = "a\x1b\x7f\u009b\u202e\U000e0001 <Käse> 健康 😀 \"\\"
	var printed bytes.Buffer
	if err := printJSON(&printed, text); err != nil {
		t.Fatal(err)
	}
	if want := `"a\u001b\u007f\u009b\u202e\udb40\udc01 <Käse> 健康 😀 \"\\"` + "\n"; printed.String() != want {
		t.Errorf("%s, want %s", printed.String(), want)
	}
	var read string
	if err := json.Unmarshal(printed.Bytes(), &read); err != nil || read != text {
		t.Errorf("read as %q: %v", read, err)
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
