package envoy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
)

// builds are the Envoys that are run, by the version that is rendered for them.
func builds(t *testing.T) map[envoy.Version]string {
	t.Helper()
	all := make(map[envoy.Version]string)
	for _, build := range run.Versions() {
		all[envoy.Version(build[:strings.LastIndex(build, ".")])] = build
	}
	for _, version := range envoy.Versions() {
		if all[version] == "" {
			t.Errorf("no Envoy %s is run", version)
		}
	}
	if len(all) != len(envoy.Versions()) {
		t.Errorf("run are %v, rendered for %q", run.Versions(), envoy.Versions())
	}
	return all
}

func TestGoldenFilesOfOlderVersions(t *testing.T) {
	for name, p := range configurations() {
		t.Run(name, func(t *testing.T) {
			text := func(version envoy.Version) string {
				p.Version = version
				return string(bootstrapYAML(t, p))
			}
			compareGolden(t, filepath.Join("1.37", name+".yaml"), []byte(text(envoy.V137)))
			if diff := cmp.Diff(text(envoy.V137), text(envoy.V138)); diff != "" {
				t.Errorf("1.38 differs (-1.37 +1.38):\n%s", diff)
			}
			for _, version := range []envoy.Version{envoy.V139, envoy.V140} {
				if diff := cmp.Diff(text(""), text(version)); diff != "" {
					t.Errorf("%s differs from the newest (-newest +%s):\n%s", version, version, diff)
				}
			}
		})
	}
}

func TestEveryEnvoyAcceptsWhatIsRenderedForIt(t *testing.T) {
	for version, build := range builds(t) {
		t.Run(build, func(t *testing.T) {
			binary := envoytest.Version(t, build)
			for name, p := range configurations() {
				p.Version = version
				if err := binary.Validate(t.Context(), place(t, p)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// What is left out has to be: an Envoy that knew the field would be given it.
func TestAFieldIsUnknownBeforeTheVersionThatHasIt(t *testing.T) {
	all := builds(t)
	order := envoy.Versions()
	for _, p := range []envoy.Params{base(), configurations()["required"]} {
		p.Version = order[0]
		for _, r := range envoy.Replacements(p) {
			before := order[slices.Index(order, r.Since)-1]
			t.Run(r.Field+" in "+string(before), func(t *testing.T) {
				newer := p
				newer.Version = r.Since
				err := envoytest.Version(t, all[before]).Validate(t.Context(), place(t, newer))
				if err == nil || !strings.Contains(strings.Join(strings.Fields(err.Error()), " "), r.Field) {
					t.Errorf("Envoy %s says %v", before, err)
				}
				if err := envoytest.Version(t, all[r.Since]).Validate(t.Context(), place(t, newer)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestWhatAnOlderEnvoyDoesWithout(t *testing.T) {
	listed := envoy.Replacement{Param: "Version", Field: "suppress_client_ca_list", Since: envoy.V139,
		Instead: "the listener has no trusted_ca, so that it names no CA to clients all the same"}
	required := listed
	required.Param = "ClientCertificate"
	required.Lost = "a connection without a certificate is not ended by a TLS alert: each of its requests is refused instead, on every path"
	cases := map[string]struct {
		p    envoy.Params
		want []envoy.Replacement
	}{
		"the newest does without nothing":            {p: base()},
		"nor does the first that has all the fields": {p: with(func(p *envoy.Params) { p.Version = envoy.V139 })},
		"nothing is lost where a certificate is optional": {p: with(func(p *envoy.Params) { p.Version = envoy.V138 }),
			want: []envoy.Replacement{listed}},
		"the alert is lost where it is required": {p: with(func(p *envoy.Params) {
			p.Version, p.ClientCertificate = envoy.V137, envoy.Required
		}), want: []envoy.Replacement{required}},
		"the proxy in front is asked by name of its CA": {p: with(func(p *envoy.Params) {
			p.Version, p.Front = envoy.V137, &envoy.Front{TrustedCA: "ca.crt", SANs: []string{"edge"}}
		})},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(c.want, envoy.Replacements(c.p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
