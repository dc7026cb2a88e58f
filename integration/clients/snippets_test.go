package clients_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	pageOfClients   = "clients.md"
	pageOfUpstreams = "upstreams.md"
)

var (
	marked = regexp.MustCompile("(?ms)^<!-- snippet: ([a-z-]+) -->\n```([a-z]+)\n(.*?)^```$")
	fence  = regexp.MustCompile("(?m)^```[a-z]+$")
)

// snippets returns the marked blocks of a page by name.
func snippets(t *testing.T, page string) map[string]string {
	t.Helper()
	text := readFile(t, filepath.Join("..", "..", "docs", page))
	all := make(map[string]string)
	for _, match := range marked.FindAllStringSubmatch(text, -1) {
		if _, twice := all[match[1]]; twice {
			t.Fatalf("%s has two snippets %s", page, match[1])
		}
		all[match[1]] = match[3]
	}
	return all
}

func snippet(t *testing.T, page, name string) string {
	t.Helper()
	text, exists := snippets(t, page)[name]
	if !exists {
		t.Fatalf("%s has no snippet %s", page, name)
	}
	return text
}

// A block that nobody runs would be wrong one day. Those of upstreams.md that are
// not run here are said to be untested there, or are another test's.
func TestEveryBlockOfTheClientsPageIsRun(t *testing.T) {
	blocks := len(fence.FindAllString(readFile(t, filepath.Join("..", "..", "docs", pageOfClients)), -1))
	all := snippets(t, pageOfClients)
	if blocks != len(all) {
		t.Errorf("%d blocks, and %d of them are snippets", blocks, len(all))
	}
	for name := range all {
		if _, run := programs[name]; !run {
			t.Errorf("nobody runs the snippet %s", name)
		}
	}
}

// Of each verifier the page says by which test it is tested, or that it is not.
func TestTheUpstreamsPageSaysWhatIsUntested(t *testing.T) {
	text := readFile(t, filepath.Join("..", "..", "docs", pageOfUpstreams))
	said := regexp.MustCompile(`(?m)^(?:Tested by\s|\*\*Untested\.\*\*)`)
	for _, section := range strings.Split(text, "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		if title != "What each needs" && len(said.FindAllString(body, -1)) != 1 {
			t.Errorf("%s does not say once whether it is tested", title)
		}
	}
	const forSpring = "inject: {typ: JWT, bind: none}"
	if !strings.Contains(text, forSpring) || !strings.Contains(configurationText, forSpring) {
		t.Error("what the page configures for Spring is not what is tested")
	}
}

// The versions that are named are those that are pinned.
func TestThePagesNameTheVersionsThatAreRun(t *testing.T) {
	pages := readFile(t, filepath.Join("..", "..", "docs", pageOfClients)) + readFile(t, filepath.Join("..", "..", "docs", pageOfUpstreams))
	for file, pattern := range map[string]string{
		"go/go.mod":               `(?m)^\t(?:golang.org/x/oauth2|github.com/coreos/go-oidc/v3|github.com/go-jose/go-jose/v4) (\S+)$`,
		"node/package.json":       `"(?:openid-client|@medplum/core)": "([^"]+)"`,
		"python/requirements.txt": `(?m)^(?:authlib|requests)==(\S+)`,
		"java/pom.xml":            `<artifactId>spring-security-[a-z0-9-]+</artifactId>\s*<version>([^<]+)`,
	} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(readFile(t, filepath.Join("testdata", file)), -1)
		if len(found) < 2 {
			t.Errorf("%s pins %d of the libraries", file, len(found))
		}
		for _, match := range found {
			if !strings.Contains(pages, match[1]) {
				t.Errorf("%s pins %s, which no page names", file, match[1])
			}
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
