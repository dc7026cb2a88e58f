package docs_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/peercert"
)

func TestEveryFormOfEvidenceHasARowWithItsHeader(t *testing.T) {
	page := section(t, read(t, "docs/evidence.md"), "## The forms")
	headers := map[string][]string{}
	for _, cells := range rows(page) {
		name := ""
		if found := spans(cells[2]); len(found) == 1 {
			name = found[0]
		}
		form := spans(cells[0])[0]
		headers[form] = append(headers[form], name)
	}
	want := map[string][]string{"from: peer": {"source.certificate"}, "xfcc": {"x-forwarded-client-cert", "x-forwarded-client-cert"}}
	for _, f := range peercert.Formats() {
		want[string(f)] = []string{f.DefaultHeader()}
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Errorf("forms and their headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(peercert.Formats(), configured()); diff != "" {
		t.Errorf("formats that can be configured (-want +got):\n%s", diff)
	}
}

func configured() []peercert.Format {
	var all []peercert.Format
	for _, f := range config.Formats() {
		all = append(all, peercert.Format(f))
	}
	return all
}

func TestTheSettingsForEachProxyAreAccepted(t *testing.T) {
	text := read(t, "docs/evidence.md")
	parse := func(name string) *config.Config {
		blocks := fenced(between(t, text, "<!-- config "+name+" -->", "<!-- /config "+name+" -->"), "yaml")
		if len(blocks) != 1 {
			t.Fatalf("%d blocks", len(blocks))
		}
		settings, err := config.Parse("docs/evidence.md", []byte(blocks[0]), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return settings
	}
	if c := parse("behind").Certificate; c.From != config.FromHeader || c.Header != peercert.FormatALB.DefaultHeader() {
		t.Errorf("behind another proxy: %+v", c)
	}
	var shown []config.Format
	for _, proxy := range parse("proxies").Proxies {
		shown = append(shown, proxy.Format)
		if proxy.Format == config.FormatXFCC {
			continue
		}
		c := peercert.Config{From: peercert.Header, Header: proxy.Header, Format: peercert.Format(proxy.Format)}
		if _, err := peercert.NewReader(c); err != nil {
			t.Errorf("%s: %v", proxy.Name, err)
		}
	}
	for _, f := range config.Formats() {
		if f != config.FormatALBLeaf && !slices.Contains(shown, f) {
			t.Errorf("%s is not shown", f)
		}
	}
}
