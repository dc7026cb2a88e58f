package truststore_test

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

// pkitsCase is a case of NIST's Public Key Interoperability Test Suite, as Go's
// own sources have it.
type pkitsCase struct {
	Name                        string
	CertPath                    []string
	ShouldValidate              bool
	InitialPolicySet            []string
	InitialPolicyMappingInhibit bool
	InitialExplicitPolicy       bool
	InitialAnyPolicyInhibit     bool
}

// pkitsOtherwise are the cases that are decided otherwise, by the end of their name.
var pkitsOtherwise = map[string]string{
	"4.1.4 Valid DSA Signatures Test4":                        "DSA is not accepted",
	"4.1.5 Valid DSA Parameter Inheritance Test5":             "DSA is not accepted",
	"4.6.8 Valid pathLenConstraint Test8":                     "a CA is no leaf unless it is pinned",
	"4.6.14 Valid pathLenConstraint Test14":                   "a CA is no leaf unless it is pinned",
	"4.8.6 Overlapping Policies Test6 (Subpart 1)":            "a CA is no leaf unless it is pinned",
	"4.5.2 Invalid Basic Self-Issued Old With New Test2":      "fails by its CRL",
	"4.5.5 Invalid Basic Self-Issued New With Old Test5":      "fails by its CRL",
	"4.5.7 Invalid Basic Self-Issued CRL Signing Key Test7":   "fails by its CRL",
	"4.7.4 Invalid keyUsage Critical cRLSign False Test4":     "fails by its CRL",
	"4.7.5 Invalid keyUsage Not Critical cRLSign False Test5": "fails by its CRL",
}

// judged reports whether the case is about paths alone, and asks for what Terms can say.
func (c pkitsCase) judged() bool {
	for _, aboutCRLs := range []string{"4.4.", "4.14.", "4.15."} {
		if strings.HasPrefix(c.Name, aboutCRLs) {
			return false
		}
	}
	anyWillDo := slices.Equal(c.InitialPolicySet, []string{"anyPolicy"})
	return !c.InitialPolicyMappingInhibit && !c.InitialAnyPolicyInhibit && (c.InitialExplicitPolicy || anyWillDo)
}

func (c pkitsCase) judge(t *testing.T, folder string) error {
	t.Helper()
	terms := truststore.Terms{AnyPurpose: true, At: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, policy := range c.InitialPolicySet {
		if !c.InitialExplicitPolicy {
			break
		}
		number, isTest := strings.CutPrefix(policy, "NIST-test-policy-")
		terms.Policies = append(terms.Policies, map[bool]string{true: "2.16.840.1.101.3.2.1.48." + number, false: "2.5.29.32.0"}[isTest])
	}
	var path []*x509.Certificate
	for _, file := range c.CertPath {
		der, err := os.ReadFile(filepath.Join(folder, "certs", file))
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		path = append(path, certificate)
	}
	last := len(path) - 1
	anchor := truststore.NewAnchor(truststore.Entry{Certificate: path[0]})
	_, err := terms.Verify(truststore.NewChain(path[last], path[1:last]), []*truststore.Anchor{anchor})
	return err
}

func TestThePathsOfPKITSAreDecidedAsItSays(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "crypto", "x509", "testdata", "nist-pkits")
	text, err := os.ReadFile(filepath.Join(folder, "vectors.json"))
	if err != nil {
		t.Skipf("PKITS is left out, this Go has none: %v", err)
	}
	var cases []pkitsCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, c := range cases {
		if !c.judged() {
			continue
		}
		err := c.judge(t, folder)
		switch asSaid := (err == nil) == c.ShouldValidate; {
		case asSaid:
			passed++
		case pkitsOtherwise[c.Name] == "":
			t.Errorf("%s: want valid %t, got %v", c.Name, c.ShouldValidate, err)
		}
	}
	if passed < 140 {
		t.Errorf("%d passed", passed)
	}
	t.Logf("PKITS: %d cases, %d about paths passed, %d excepted", len(cases), passed, len(pkitsOtherwise))
}
