package main

import (
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/revocation"
)

func TestALocationThatFailsIsToldByWhatIsKnownOfIt(t *testing.T) {
	now := time.Now()
	missing := revocation.State{Name: "http://ca.example/x.crl", Failures: 1, Problem: "connection refused"}
	current := missing
	current.NextUpdate = now.Add(time.Hour)
	working := revocation.State{Name: missing.Name, NextUpdate: current.NextUpdate}
	for sentence, c := range map[string]struct {
		states []revocation.State
		want   string
		known  bool
	}{
		"it works":                             {[]revocation.State{working}, "", true},
		"nothing is known":                     {[]revocation.State{missing}, "revocation: http://ca.example/x.crl: nothing current is known: connection refused", false},
		"nothing is known of two certificates": {[]revocation.State{missing, working, missing}, "revocation: http://ca.example/x.crl: nothing current is known for 2 questions: connection refused", false},
		"what is known is current":             {[]revocation.State{current}, "revocation: http://ca.example/x.crl: cannot be fetched, what is known is still current: connection refused", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			locations := byName(c.states)
			if len(locations) != 1 {
				t.Fatalf("%d locations", len(locations))
			}
			if text, known := locations[0].text(now); text != c.want || known != c.known {
				t.Errorf("got  %s, %t\nwant %s, %t", text, known, c.want, c.known)
			}
		})
	}
}
