package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/extauthz/audit"
)

// What docs/rollout.md has a person type leads from shadow to enforce as it says.
func TestTheWayFromShadowToEnforce(t *testing.T) {
	binary := envoytest.Binary(t)
	for _, tool := range []string{"bash", "curl", "python3", "sed"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skipf("left out: there is no %s", tool)
		}
	}
	blocks := fenced(between(t, read(t, "docs/rollout.md"), "<!-- rollout -->", "<!-- /rollout -->"), "sh")
	if len(blocks) != 7 {
		t.Fatalf("%d blocks", len(blocks))
	}
	folder, bin := walkFolder(t, binary.Path)
	output := runScript(t, folder, onFreePorts(t, upstreamOfTheWalk(t)+"\n"+strings.Join(blocks, "\n")), bin)
	for _, want := range []string{
		"authorization: Basic b2xkOmRheXM=", "x-partner: example",
		`"decision":"deny","mode":"shadow","reason":"authorization_refused"`, `"decision":"allow","mode":"shadow","reason":"allowed"`,
		`certbearer_shadow{what="global"} 1`, `certbearer_shadow{what="routes"} 2`, `certbearer_shadow_decisions_total{reason="authorization_refused",route="rest"} 1`,
		`"shadow":{"global":true,"routes":["reports","rest"],"clients":0}`,
		"deny authorization_refused, in shadow: the request passed as it came", "exit code 1",
		"authorization: Bearer ey", "without a certificate: 200",
		"HTTP/2 401", "on another route: 200",
		`certbearer_shadow{what="global"} 0`, `certbearer_shadow{what="routes"} 0`, `certbearer_shadow{what="clients"} 0`,
	} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
	if got := regexp.MustCompile(`(?s)x-partner: example.*?"decision"`).FindString(output); strings.Contains(strings.ToLower(got), "authorization") {
		t.Errorf("in shadow the known client got an Authorization:\n%s", got)
	}
}

// upstreamOfTheWalk is the service that the README has a person make.
func upstreamOfTheWalk(t *testing.T) string {
	t.Helper()
	for _, block := range fenced(between(t, read(t, "README.md"), "<!-- walk -->", "<!-- /walk -->"), "sh") {
		if strings.Contains(block, "upstream.py") {
			return block
		}
	}
	t.Fatal("the README makes no service")
	return ""
}

// A variable of nginx's begins with a dollar sign.
var metricName = regexp.MustCompile(`(?:^|[^$a-z_])(certbearer_[a-z_]+)`)

// A query that names no metric of ours finds nothing, and nobody notices.
func TestEveryQueryOfAPageNamesMetricsThatExist(t *testing.T) {
	known := audit.Names()
	for _, p := range pages(t) {
		for _, span := range spans(p.text) {
			for _, match := range metricName.FindAllStringSubmatch(span, -1) {
				name := match[1]
				if !slices.Contains(known, strings.TrimSuffix(name, "_bucket")) {
					t.Errorf("%s: there is no metric %s", p.path, name)
				}
			}
		}
	}
}
