package policies_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// limboCase is a case of x509-limbo (C2SP), reissued for client certificates.
type limboCase struct {
	ID             string
	Trusted        []string   `json:"trusted_certs"`
	Untrusted      []string   `json:"untrusted_intermediates"`
	Leaf           string     `json:"peer_certificate"`
	At             *time.Time `json:"validation_time"`
	CRLs           []string   `json:"crls"`
	Depth          *int       `json:"max_chain_depth"`
	ExpectedResult string     `json:"expected_result"`
}

func parsePEM(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// judge does what certbearer verify does with a trust store of the trusted
// certificates and, where the case has CRLs, with --crl and --require-crl. What
// cannot be read is in no store and on no list, and refuses the case.
func (c limboCase) judge() error {
	at := time.Now()
	if c.At != nil {
		at = *c.At
	}
	path, err := c.path(at, truststore.Strict)
	if err != nil || len(c.CRLs) == 0 {
		return err
	}
	var lists []*revocation.CRL
	for _, text := range c.CRLs {
		read, err := revocation.ParseCRLs([]byte(text))
		if err != nil {
			return decision.Deny(decision.RevocationUnavailable, "crl", err)
		}
		lists = append(lists, read...)
	}
	_, err = revocation.NewView(nil, lists, nil).Judge(path, revocation.Policy{Mode: revocation.Hard}, at)
	return err
}

func (c limboCase) path(at time.Time, profile truststore.Profile) (truststore.Path, error) {
	terms := truststore.Terms{At: at, MaxIntermediates: c.Depth, Profile: profile}
	leaf, err := parsePEM(c.Leaf)
	if err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, "leaf", err)
	}
	var anchors []*truststore.Anchor
	for _, text := range c.Trusted {
		entries, err := truststore.Parse([]byte(text))
		if err != nil {
			return nil, decision.Deny(decision.CertificateMalformed, "store", err)
		}
		for _, entry := range entries {
			if entry.IsAnchor() {
				anchors = append(anchors, truststore.NewAnchor(entry))
			}
		}
	}
	var presented []*x509.Certificate
	for _, text := range c.Untrusted {
		certificate, err := parsePEM(text)
		if err != nil {
			return nil, decision.Deny(decision.CertificateMalformed, "chain", err)
		}
		presented = append(presented, certificate)
	}
	if err := terms.CheckLeaf(leaf); err != nil {
		return nil, err
	}
	return terms.Verify(truststore.NewChain(leaf, presented), anchors)
}

// limboCases reads the suite where it lies. It is no part of this repository.
func limboCases(t *testing.T) []limboCase {
	t.Helper()
	folder := os.Getenv("CERTBEARER_VECTORS")
	if folder == "none" {
		t.Skip("x509-limbo is left out, as CERTBEARER_VECTORS says")
	}
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(folder, "x509-limbo-client.json"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skipf("x509-limbo is left out, the rules have cases of our own: %v", err)
	}
	if err != nil {
		t.Fatalf("set CERTBEARER_VECTORS to the folder of x509-limbo-client.json, or to none: %v", err)
	}
	var suite struct{ Testcases []limboCase }
	if err := json.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	return suite.Testcases
}

var exceptedRow = regexp.MustCompile("(?m)^\\| `([a-z0-9:-]+)` \\| [^|]{20,} \\|$")

// limboPage returns the cases that docs/validation.md excepts, each with a reason.
func limboPage(t *testing.T) map[string]bool {
	t.Helper()
	return casesNamed(t, "x509-limbo", exceptedRow)
}

// casesNamed returns the cases that a section of docs/validation.md has in places of
// a form.
func casesNamed(t *testing.T, title string, places *regexp.Regexp) map[string]bool {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "validation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+title+"\n")
	if !found {
		t.Fatalf("docs/validation.md has no section %s", title)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	ids := make(map[string]bool)
	for _, match := range places.FindAllStringSubmatch(section, -1) {
		ids["asclient::"+match[1]] = true
	}
	return ids
}

func TestEveryCaseOfLimboIsDecidedAsItSaysOrDocumented(t *testing.T) {
	cases := limboCases(t)
	excepted := limboPage(t)
	passed := 0
	for _, c := range cases {
		err := c.judge()
		asSaid := (err == nil) == (c.ExpectedResult == "SUCCESS")
		switch {
		case asSaid && excepted[c.ID]:
			t.Errorf("%s is decided as it says, and docs/validation.md excepts it", c.ID)
		case !asSaid && !excepted[c.ID]:
			t.Errorf("%s: want %s, got %v", c.ID, c.ExpectedResult, err)
		case asSaid:
			passed++
		}
		if !asSaid && !strings.HasPrefix(c.ID, "asclient::webpki::") && err == nil {
			t.Errorf("%s is accepted, and is no rule of the web's PKI", c.ID)
		}
		if err != nil && decision.ReasonOf(err) == decision.InternalError {
			t.Errorf("%s: %v", c.ID, err)
		}
		delete(excepted, c.ID)
	}
	for id := range excepted {
		t.Errorf("docs/validation.md excepts %s, which is no case", id)
	}
	t.Attr("x509-limbo", fmt.Sprintf("%d cases, %d passed, %d excepted", len(cases), passed, len(cases)-passed))
}
