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

	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// pkitsCase is a case of NIST's Public Key Interoperability Test Suite, as Go's
// own sources have it.
type pkitsCase struct {
	Name                        string
	CertPath                    []string
	CRLPath                     []string
	ShouldValidate              bool
	InitialPolicySet            []string
	InitialPolicyMappingInhibit bool
	InitialExplicitPolicy       bool
	InitialAnyPolicyInhibit     bool
}

// Why cases are decided otherwise.
const (
	noDSA     = "DSA is not accepted"
	noCA      = "a CA is no leaf unless it is pinned"
	ofCRLs    = "fails by its CRL"
	notParsed = "crypto/x509 reads no point that is named from its issuer (nameRelativeToCRLIssuer)"
	offPath   = "the key that signed the list is not on the path"
	ofOthers  = "lists of another issuer (cRLIssuer) do not count"
	staysOn   = "a delta takes nothing off hold"
)

// pkitsOtherwise are the cases that are decided otherwise, by their name.
var pkitsOtherwise = map[string]string{
	"4.1.4 Valid DSA Signatures Test4":                        noDSA,
	"4.1.5 Valid DSA Parameter Inheritance Test5":             noDSA,
	"4.6.8 Valid pathLenConstraint Test8":                     noCA,
	"4.6.14 Valid pathLenConstraint Test14":                   noCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 1)":            noCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 2)":            noCA,
	"4.5.2 Invalid Basic Self-Issued Old With New Test2":      ofCRLs,
	"4.5.5 Invalid Basic Self-Issued New With Old Test5":      ofCRLs,
	"4.5.7 Invalid Basic Self-Issued CRL Signing Key Test7":   ofCRLs,
	"4.7.4 Invalid keyUsage Critical cRLSign False Test4":     ofCRLs,
	"4.7.5 Invalid keyUsage Not Critical cRLSign False Test5": ofCRLs,
}

// pkitsListsOtherwise are those that are decided otherwise with their lists. None of
// them is accepted.
var pkitsListsOtherwise = map[string]string{
	"4.1.4 Valid DSA Signatures Test4":                      noDSA,
	"4.1.5 Valid DSA Parameter Inheritance Test5":           noDSA,
	"4.6.8 Valid pathLenConstraint Test8":                   noCA,
	"4.6.14 Valid pathLenConstraint Test14":                 noCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 1)":          noCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 2)":          noCA,
	"4.14.13 Valid onlyContainsCACerts CRL Test13":          noCA,
	"4.4.19 Valid Separate Certificate and CRL Keys Test19": offPath,
	"4.5.4 Valid Basic Self-Issued New With Old Test4":      offPath,
	"4.5.6 Valid Basic Self-Issued CRL Signing Key Test6":   offPath,
	"4.14.4 Valid distributionPoint Test4":                  notParsed,
	"4.14.5 Valid distributionPoint Test5":                  notParsed,
	"4.14.24 Valid IDP with indirectCRL Test24":             ofOthers,
	"4.14.25 Valid IDP with indirectCRL Test25":             ofOthers,
	"4.14.28 Valid cRLIssuer Test28":                        ofOthers,
	"4.14.29 Valid cRLIssuer Test29":                        ofOthers,
	"4.14.30 Valid cRLIssuer Test30":                        ofOthers,
	"4.14.33 Valid cRLIssuer Test33":                        ofOthers,
	"4.15.5 Valid delta-CRL Test5":                          staysOn,
}

// aboutPaths reports whether the case asks of a path alone.
func (c pkitsCase) aboutPaths() bool {
	return !slices.ContainsFunc([]string{"4.4.", "4.14.", "4.15."}, func(aboutCRLs string) bool { return strings.HasPrefix(c.Name, aboutCRLs) })
}

// asked reports whether Terms can say what the case asks for: it has no
// initial-policy-mapping-inhibit and no initial-any-policy-inhibit, which are never set.
func (c pkitsCase) asked() bool { return !c.InitialPolicyMappingInhibit && !c.InitialAnyPolicyInhibit }

// judge reads the certificates from a folder, and asks for revocations where lists, the
// folder of the lists, is not empty.
func (c pkitsCase) judge(t *testing.T, profile truststore.Profile, certificates, lists string) error {
	t.Helper()
	terms := truststore.Terms{Profile: profile, AnyPurpose: true, At: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, policy := range c.InitialPolicySet {
		number, isTest := strings.CutPrefix(policy, "NIST-test-policy-")
		switch {
		case isTest:
			terms.Policies = append(terms.Policies, "2.16.840.1.101.3.2.1.48."+number)
		case c.InitialExplicitPolicy:
			terms.Policies = append(terms.Policies, "2.5.29.32.0")
		}
	}
	var path []*x509.Certificate
	for _, file := range c.CertPath {
		certificate, err := x509.ParseCertificate(read(t, certificates, file))
		if err != nil {
			return err
		}
		path = append(path, certificate)
	}
	last := len(path) - 1
	anchor := truststore.NewAnchor(truststore.Entry{Certificate: path[0]})
	found, err := terms.Verify(truststore.NewChain(path[last], path[1:last]), []*truststore.Anchor{anchor})
	if err != nil || lists == "" {
		return err
	}
	var known []*revocation.CRL
	for _, file := range c.CRLPath {
		list, err := revocation.ParseCRL(read(t, lists, file))
		if err != nil {
			return err
		}
		known = append(known, list)
	}
	_, err = revocation.NewView(nil, known, nil).Judge(found, revocation.Policy{Mode: revocation.Hard}, terms.At)
	return err
}

func read(t *testing.T, folder, file string) []byte {
	t.Helper()
	der, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// pkitsFolder is where Go's own sources have the certificates of PKITS, and the cases.
func pkitsFolder(t *testing.T) (string, []pkitsCase) {
	t.Helper()
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
	return folder, cases
}

func TestPKITSIsDecidedAsItSays(t *testing.T) {
	for _, profile := range []truststore.Profile{truststore.Strict, truststore.Compatible} {
		decide(t, profile)
	}
}

func decide(t *testing.T, profile truststore.Profile) {
	t.Helper()
	folder, cases := pkitsFolder(t)
	passed, excepted := 0, 0
	for _, c := range cases {
		if !c.asked() || !c.aboutPaths() {
			continue
		}
		if c.passes(t, c.judge(t, profile, filepath.Join(folder, "certs"), ""), pkitsOtherwise) {
			passed++
		} else {
			excepted++
		}
	}
	t.Logf("PKITS: %d cases, %d about paths passed, %d excepted", len(cases), passed, excepted)
	if passed != 169 || excepted != len(pkitsOtherwise) {
		t.Error("these are not the counts of docs/validation.md")
	}
	// Whoever has all of PKITS says where: a folder with certs and crls.
	if all := os.Getenv("CERTBEARER_PKITS"); all != "" {
		decideWithLists(t, profile, all, cases)
	}
}

// decideWithLists decides all cases as certbearer verify --require-crl does. Go has the
// names of the lists, and not the lists.
func decideWithLists(t *testing.T, profile truststore.Profile, folder string, cases []pkitsCase) {
	t.Helper()
	passed, excepted := 0, 0
	for _, c := range cases {
		if !c.asked() {
			continue
		}
		err := c.judge(t, profile, filepath.Join(folder, "certs"), filepath.Join(folder, "crls"))
		if err == nil && !c.ShouldValidate {
			t.Errorf("%s: accepted", c.Name)
		}
		if c.passes(t, err, pkitsListsOtherwise) {
			passed++
		} else {
			excepted++
		}
	}
	t.Logf("PKITS: %d cases, %d passed with their lists, %d excepted", len(cases), passed, excepted)
	if passed != 227 || excepted != len(pkitsListsOtherwise) {
		t.Error("these are not the counts of docs/validation.md")
	}
}

// passes holds a case to what PKITS says, or to being decided otherwise.
func (c pkitsCase) passes(t *testing.T, err error, otherwise map[string]string) bool {
	t.Helper()
	asSaid := (err == nil) == c.ShouldValidate
	switch why := otherwise[c.Name]; {
	case !asSaid && why == "":
		t.Errorf("%s: want valid %t, got %v", c.Name, c.ShouldValidate, err)
	case asSaid && why != "":
		t.Errorf("%s: decided as it says, although %s", c.Name, why)
	}
	return asSaid
}
