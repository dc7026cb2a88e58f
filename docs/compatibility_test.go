package docs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/run"
)

// The table has the versions that are rendered for, the builds that are run, and what
// each does without.
func TestTheTableOfVersionsOfEnvoyIsTheCodes(t *testing.T) {
	var want [][]string
	for _, version := range envoy.Versions() {
		shown, without, lost := "`\""+string(version)+"\"`", "nothing", "nothing"
		if version == envoy.Newest {
			shown += ", the default"
		}
		p := envoy.Params{Version: version, ClientCertificate: envoy.Required}
		for _, r := range envoy.Replacements(p) {
			without, lost = "`"+r.Field+"`", "with `envoy.clientCertificate: required`, the TLS alert"
		}
		if len(envoy.Replacements(p)) > 1 {
			t.Fatal("the table has room for one field")
		}
		want = append(want, []string{shown, buildOf(version), without, lost})
	}
	page := read(t, "docs/compatibility.md")
	if diff := cmp.Diff(want, rows(between(t, page, "<!-- envoy-versions -->", "<!-- /envoy-versions -->"))); diff != "" {
		t.Errorf("docs/compatibility.md (-code +page):\n%s", diff)
	}
	for _, r := range envoy.Replacements(envoy.Params{Version: envoy.Versions()[0]}) {
		if !strings.Contains(page, "**`"+r.Field+"`**") {
			t.Errorf("docs/compatibility.md does not explain %s", r.Field)
		}
	}
}

// buildOf is the Envoy of the version that is run.
func buildOf(version envoy.Version) string {
	i := slices.IndexFunc(run.Versions(), func(build string) bool { return strings.HasPrefix(build, string(version)+".") })
	if i < 0 {
		return "none"
	}
	return run.Versions()[i]
}
