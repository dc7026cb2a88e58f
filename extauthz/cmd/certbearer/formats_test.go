package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/peercert"
)

// config imports nothing of ours, so that the formats and their headers stand there
// and in peercert.
func TestFormatsAreTheSameInTheConfigurationAndInPeercert(t *testing.T) {
	var configured, read []string
	for _, f := range config.Formats() {
		configured = append(configured, string(f))
	}
	for _, f := range peercert.Formats() {
		read = append(read, string(f))
	}
	if diff := cmp.Diff(read, configured); diff != "" {
		t.Errorf("formats (-peercert +config):\n%s", diff)
	}
	for _, f := range peercert.Formats() {
		settings, err := config.Parse("certbearer.yaml", []byte(`{issuer: "https://gateway.example", audience: "https://api.example", `+
			`listen: {grpc: "unix:/run/x.sock"}, proxies: [{name: p, socket: "unix:/run/p.sock", format: `+string(f)+`}]}`), t.TempDir())
		switch {
		case f.DefaultHeader() == "":
			if err == nil || !strings.Contains(err.Error(), "proxies[0].header") {
				t.Errorf("%s has no header of its own, and the configuration says %v", f, err)
			}
		case err != nil:
			t.Errorf("%s: %v", f, err)
		case settings.Proxies[0].Header != f.DefaultHeader():
			t.Errorf("%s is read from %s, and from %s in the configuration", f, f.DefaultHeader(), settings.Proxies[0].Header)
		}
	}
}
