package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/policies"
)

const (
	tableBegins = "<!-- config-table -->"
	tableEnds   = "<!-- /config-table -->"
)

func TestTheConfigurationTableOfTheREADMEIsThatOfTheCode(t *testing.T) {
	text := read(t, "README.md")
	had, want := between(t, text, tableBegins, tableEnds), configTable()
	if *update && had != want {
		text = strings.Replace(text, tableBegins+"\n"+had, tableBegins+"\n"+want, 1)
		if err := os.WriteFile(filepath.Join(root, "README.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		had = want
	}
	if diff := cmp.Diff(want, had); diff != "" {
		t.Errorf("bring it up to date with: go test ./docs -update\n(-code +README)\n%s", diff)
	}
}

// Every field of client documents that is no key is told where it belongs.
func TestAFieldOfAClientDocumentIsNoKey(t *testing.T) {
	const minimal = "issuer: https://a.example\naudience: https://b.example\nlisten: {grpc: \"unix:a.sock\"}\n"
	told := 0
	for _, field := range firstCells(section(t, read(t, "docs/client-documents.md"), "## Fields")) {
		switch field {
		case "audience", "mode", "revocation": // keys as well
			continue
		case "id", "name": // of nothing in particular
			continue
		}
		told++
		_, err := config.Parse("c.yaml", []byte(minimal+field+": a\n"), t.TempDir())
		if want := "c.yaml:4: " + field + ": unknown key; each client has its own: write " + field + " into the client's document, in the folder clients.directory"; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if told < 14 {
		t.Errorf("only %d fields are told of", told)
	}
}

// Every field of client documents is recognised when its letters are not right.
func TestAFieldInOtherLettersIsRecognised(t *testing.T) {
	for _, field := range firstCells(section(t, read(t, "docs/client-documents.md"), "## Fields")) {
		documents, err := policies.ParseFile("a.json", []byte(`{"`+strings.ToUpper(field)+`": 1}`))
		if err != nil || documents[0].Fault == nil {
			t.Fatalf("%s: no fault: %v", field, err)
		}
		if got, want := documents[0].Fault.Problem, "is no field of a ClientApplication (did you mean "+field+"?)"; got != want {
			t.Errorf("%s: %s", field, got)
		}
	}
}

func configTable() string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, key := range config.Keys() {
		standard := key.Default
		if standard != "" && standard != config.Required {
			standard = "`" + standard + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key.Path, standard, strings.ReplaceAll(key.Meaning, "|", `\|`))
	}
	return b.String()
}

func TestTheConfigurationsInThePagesAreAccepted(t *testing.T) {
	for name, page := range map[string]string{
		"callers": "docs/envoy.md", "front": "docs/envoy.md", "public": "docs/envoy.md", "routes": "docs/envoy.md",
		"legacy": "docs/migration.md", "medplum": "docs/migration.md", "revocation": "docs/revocation.md",
	} {
		t.Run(name, func(t *testing.T) {
			text := read(t, page)
			blocks := fenced(between(t, text, "<!-- config "+name+" -->", "<!-- /config "+name+" -->"), "yaml")
			if len(blocks) != 1 {
				t.Fatalf("%d blocks", len(blocks))
			}
			settings, err := config.Parse(page, []byte(blocks[0]), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if name == "routes" || name == "medplum" || name == "revocation" {
				return
			}
			if err := settings.CheckEnvoy(page); err != nil {
				t.Error(err)
			}
		})
	}
}
