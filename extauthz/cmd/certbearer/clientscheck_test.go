package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// repository is a folder of clients: files by name. What is no text is a document,
// whose trust store may be certificates.
type repository map[string]any

type fields map[string]any

// stored is the text of a trust store.
func stored(certificates ...*testca.Issued) string {
	var text strings.Builder
	for _, c := range certificates {
		text.Write(c.PEM())
	}
	return text.String()
}

func (r repository) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range r.texts(t) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (r repository) texts(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for name, content := range r {
		text, isText := content.(string)
		if !isText {
			document := map[string]any{"resourceType": "ClientApplication", "id": strings.TrimSuffix(name, ".json")}
			for field, value := range content.(fields) {
				document[field] = value
			}
			whole, err := json.MarshalIndent(document, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			text = string(whole)
		}
		texts[name] = text
	}
	return texts
}

// checked runs clients check, and returns what it prints and its exit code.
func checked(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(&console{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}, append([]string{"clients", "check"}, args...))
	if stderr.Len() > 0 {
		t.Errorf("on standard error: %s", &stderr)
	}
	return stdout.String(), code
}

func findings(t *testing.T, dir string, args ...string) []finding {
	t.Helper()
	printed, _ := checked(t, append(args, dir, "--json")...)
	var report clientsReport
	if err := json.Unmarshal([]byte(printed), &report); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	return report.Findings
}

// briefly is "client code" of each, or "file code" where no client is known.
func briefly(all []finding) []string {
	brief := []string{}
	for _, f := range all {
		whose := f.Client
		if whose == "" {
			whose = filepath.Base(f.File)
		}
		brief = append(brief, whose+" "+string(f.Code))
	}
	slices.Sort(brief)
	return brief
}

func selfSigned(t *testing.T, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func issuedBy(t *testing.T, issuer *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := issuer.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func authority(t *testing.T, name string) *testca.Issued {
	t.Helper()
	return selfSigned(t, testca.Template{CommonName: name, CA: true})
}

func usage(bits x509.KeyUsage) *x509.KeyUsage { return &bits }

// extension is one of id-ce.
func extension(arc int, critical bool, der ...byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: critical, Value: der}
}

var notCriticalCA = extension(19, false, 0x30, 0x03, 0x01, 0x01, 0xff)

func sum(data []byte) []byte {
	digest := sha256.Sum256(data)
	return digest[:]
}

// versionOne is a certificate without extensions, as old tools make them.
func versionOne(t *testing.T, name string) *testca.Issued {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type tbs struct {
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    pkix.RDNSequence
		Validity  struct{ From, To time.Time }
		Subject   pkix.RDNSequence
		Key       asn1.RawValue
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sha256WithRSA := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue}
	content := tbs{Serial: big.NewInt(1), Algorithm: sha256WithRSA, Issuer: pkix.Name{CommonName: name}.ToRDNSequence(), Subject: pkix.Name{CommonName: name}.ToRDNSequence(), Key: asn1.RawValue{FullBytes: spki}}
	content.Validity.From, content.Validity.To = time.Now().Add(-time.Hour).UTC(), time.Now().AddDate(1, 0, 0).UTC()
	der, err := asn1.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(rand.Reader, sum(der), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: der}, sha256WithRSA, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(whole)
	if err != nil {
		t.Fatal(err)
	}
	return &testca.Issued{Certificate: certificate, Key: key}
}

func keyPEM(t *testing.T, of *testca.Issued) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(of.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func crlOf(t *testing.T, ca *testca.Issued, next time.Time) string {
	t.Helper()
	list := x509.RevocationList{Number: big.NewInt(1), ThisUpdate: next.AddDate(0, 0, -7), NextUpdate: next}
	der, err := x509.CreateRevocationList(rand.Reader, &list, ca.Certificate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func TestWhatIsFound(t *testing.T) {
	t.Parallel()
	leaf, other := selfSigned(t, testca.Template{CommonName: "leaf"}), selfSigned(t, testca.Template{CommonName: "leaf"})
	ca := authority(t, "Health CA")
	openssl, err := testca.LikeOpenSSL("lab", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	v1 := versionOne(t, "Old Root")
	bound := map[string]string{"sanDns": "a.example"}
	namedLeaf := selfSigned(t, testca.Template{CommonName: "leaf", DNSNames: []string{"a.example"}})
	noSKI := selfSigned(t, testca.Template{CommonName: "No SKI", CA: true, ExtraExtensions: []pkix.Extension{extension(14, false, 0x04, 0x00)}})
	loose := selfSigned(t, testca.Template{CommonName: "Loose", CA: true, ExtraExtensions: []pkix.Extension{notCriticalCA}})
	intermediate := issuedBy(t, ca, testca.Template{CommonName: "Issuing CA", CA: true})
	hard, soft := map[string]any{"mode": "hard"}, map[string]any{"mode": "soft"}
	withHost := map[string]any{"mode": "hard", "hosts": []string{"ca.example"}}
	twinID := extension(14, false, 0x04, 0x02, 0x01, 0x02)
	twin := func() *testca.Issued {
		return selfSigned(t, testca.Template{CommonName: "Twin", CA: true, ExtraExtensions: []pkix.Extension{twinID}})
	}
	for sentence, test := range map[string]struct {
		clients repository
		want    []string
	}{
		"ordinary pins, a CA and a bound client have nothing to say": {repository{
			"a.json": fields{"certificateTrustStore": stored(leaf)},
			"b.json": fields{"certificateTrustStore": stored(other)}, // of the same name
			"c.json": fields{"certificateTrustStore": stored(ca), "tlsClientAuth": bound},
			"d.json": fields{"certificateTrustStore": stored(issuedBy(t, ca, testca.Template{CommonName: "leaf"}))},
			"e.json": fields{"certificateTrustStore": stored(versionOne(t, "partner"))},
			"f.json": fields{"certificateTrustStore": stored(authority(t, "F"), namedLeaf), "tlsClientAuth": bound},
			"g.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "Sacramento CA"}))},
		}, []string{}},
		"a pin that is a CA also issues":           {repository{"a.json": fields{"certificateTrustStore": stored(openssl)}}, []string{"a also_issues"}},
		"not with self_signed_tls_client_auth":     {repository{"a.json": fields{"certificateTrustStore": stored(openssl), "tokenEndpointAuthMethod": "self_signed_tls_client_auth"}}, []string{}},
		"a CA that two clients hold without bound": {repository{"a.json": fields{"certificateTrustStore": stored(ca, leaf)}, "b.json": fields{"certificateTrustStore": stored(ca), "tlsClientAuth": bound}}, []string{"a anchor_shared_unbound"}},
		"a client that nobody can be let in as, since its one CA is shared": {repository{"a.json": fields{"certificateTrustStore": stored(ca)}, "b.json": fields{"certificateTrustStore": stored(ca), "tlsClientAuth": bound}},
			[]string{"a accepts_nobody", "a anchor_shared_unbound"}},
		"certificates that end within 30 days, pins and CAs": {repository{
			"a.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "a", NotAfter: time.Now().AddDate(0, 0, 29)}))},
			"b.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "b", CA: true, NotAfter: time.Now().AddDate(0, 0, 29)}))},
			"c.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "c", NotAfter: time.Now().AddDate(0, 0, 31)}))},
		}, []string{"a certificate_ends_soon", "b certificate_ends_soon"}},
		"certificates that have ended or not begun are warnings, for time makes no error": {repository{
			"a.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "a", NotAfter: time.Now().Add(-time.Hour)}))},
			"b.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "b", CA: true, NotAfter: time.Now().Add(-time.Hour)}))},
			"c.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "c", NotBefore: time.Now().Add(time.Hour)}))},
		}, []string{"a certificate_ended", "b certificate_ended", "c certificate_not_begun"}},
		"a weak key beside a good one":        {repository{"a.json": fields{"certificateTrustStore": stored(leaf, selfSigned(t, testca.Template{CommonName: "w", Key: weakKey(t)}))}}, []string{"a key_weak"}},
		"a weak key alone":                    {repository{"a.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "w", Key: weakKey(t)}))}}, []string{"a accepts_nobody", "a key_weak"}},
		"the weak key of a CA":                {repository{"a.json": fields{"certificateTrustStore": stored(leaf, selfSigned(t, testca.Template{CommonName: "w", CA: true, Key: weakKey(t)}))}}, []string{"a key_weak"}},
		"a pin for servers":                   {repository{"a.json": fields{"certificateTrustStore": stored(leaf, selfSigned(t, testca.Template{CommonName: "s", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))}}, []string{"a pin_refused"}},
		"a CA without a subjectKeyIdentifier": {repository{"a.json": fields{"certificateTrustStore": stored(noSKI)}}, []string{"a accepts_nobody", "a anchor_refused"}},
		"a CA with basicConstraints that are not critical, beside a pin": {repository{"a.json": fields{"certificateTrustStore": stored(loose, leaf)}}, []string{"a anchor_refused"}},
		"a v1 certificate that issued another client's": {repository{
			"a.json": fields{"certificateTrustStore": stored(v1)},
			"b.json": fields{"certificateTrustStore": stored(issuedBy(t, v1, testca.Template{CommonName: "leaf"}))},
		}, []string{"a not_a_ca"}},
		"a certificate that has only the name of an issuer": {repository{
			"a.json": fields{"certificateTrustStore": stored(versionOne(t, "Old Root"))},
			"b.json": fields{"certificateTrustStore": stored(issuedBy(t, v1, testca.Template{CommonName: "leaf"}))},
		}, []string{}},
		"keyCertSign without CA":                           {repository{"a.json": fields{"certificateTrustStore": stored(selfSigned(t, testca.Template{CommonName: "k", KeyUsage: usage(x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature)}))}}, []string{"a not_a_ca"}},
		"a CA without keyCertSign":                         {repository{"a.json": fields{"certificateTrustStore": stored(leaf, selfSigned(t, testca.Template{CommonName: "k", CA: true, KeyUsage: usage(x509.KeyUsageCRLSign)}))}}, []string{"a not_a_ca", "a pin_refused"}},
		"a leaf beside the CA of a tls_client_auth":        {repository{"a.json": fields{"certificateTrustStore": stored(ca, namedLeaf), "tokenEndpointAuthMethod": "tls_client_auth", "tlsClientAuth": bound}}, []string{"a not_a_ca"}},
		"only a leaf with tls_client_auth":                 {repository{"a.json": fields{"certificateTrustStore": stored(leaf), "tokenEndpointAuthMethod": "tls_client_auth", "tlsClientAuth": bound}}, []string{"a no_anchor"}},
		"a leaf of another subject in a bound store":       {repository{"a.json": fields{"certificateTrustStore": stored(ca, leaf), "tlsClientAuth": bound}}, []string{"a not_a_ca"}},
		"a bound store without a CA":                       {repository{"a.json": fields{"certificateTrustStore": stored(leaf), "tlsClientAuth": bound}}, []string{"a binding_without_effect"}},
		"a self-signed certificate that is named like one": {repository{"a.json": fields{"certificateTrustStore": stored(versionOne(t, "Acme Root CA 2"))}}, []string{"a not_a_ca"}},
		"nothing of a client that is off":                  {repository{"a.json": fields{"status": "off", "certificateTrustStore": stored(noSKI, versionOne(t, "Acme Root CA 2"))}}, []string{}},
		"two CAs that only their keys tell apart": {repository{
			"a.json": fields{"certificateTrustStore": stored(twin())}, "b.json": fields{"certificateTrustStore": stored(twin())},
		}, []string{"a anchor_twin", "b anchor_twin"}},
		"two CAs of one name that their key identifiers tell apart": {repository{
			"a.json": fields{"certificateTrustStore": stored(authority(t, "Twin"))}, "b.json": fields{"certificateTrustStore": stored(authority(t, "Twin"))},
		}, []string{}},
		"a private key in a store":             {repository{"a.json": fields{"certificateTrustStore": stored(leaf) + string(keyPEM(t, leaf))}}, []string{"a private_key"}},
		"a private key in another field":       {repository{"a.json": fields{"certificateTrustStore": stored(leaf), "description": string(keyPEM(t, leaf))}}, []string{"a.json private_key"}},
		"files with private keys":              {repository{"a.key": string(keyPEM(t, leaf)), ".b": string(keyPEM(t, leaf)), "c.p12": "x", "d.bin": keyDER(t, leaf)}, []string{".b private_key", "a.key file_ignored", "a.key private_key", "c.p12 file_ignored", "c.p12 private_key", "d.bin file_ignored", "d.bin private_key"}},
		"revocation lists that are good":       {repository{"a.json": fields{"certificateTrustStore": stored(ca)}, "a.crl": crlOf(t, ca, time.Now().Add(time.Hour))}, []string{}},
		"revocation lists that are not":        {repository{"a.json": fields{"certificateTrustStore": stored(ca)}, "a.crl": crlOf(t, ca, time.Now().Add(-time.Hour)), "b.crl": "x", "c.crl": crlOf(t, authority(t, "Other"), time.Now().Add(time.Hour))}, []string{"a.crl crl_ended", "b.crl crl_unusable", "c.crl crl_unsigned"}},
		"an id in two documents":               {repository{"a.json": fields{"certificateTrustStore": stored(leaf)}, "b.json": fields{"id": "a", "certificateTrustStore": stored(leaf)}}, []string{"a id_repeated"}},
		"a file that is no JSON":               {repository{"a.json": "{"}, []string{"a document_unusable", "a.json file_unusable"}},
		"a client of no certificate":           {repository{"a.json": fields{}}, []string{"a store_empty"}},
		"a certificate that two pin":           {repository{"a.json": fields{"certificateTrustStore": stored(leaf)}, "b.json": fields{"certificateTrustStore": stored(leaf)}}, []string{"a pin_shared", "b pin_shared"}},
		"revocation where nobody could revoke": {repository{"a.json": fields{"certificateTrustStore": stored(leaf), "revocation": map[string]string{"mode": "hard"}}}, []string{"a revocation_without_effect"}},
		"revocation with nowhere to learn of it": {repository{
			"a.json": fields{"certificateTrustStore": stored(authority(t, "A")), "revocation": hard},
			"b.json": fields{"certificateTrustStore": stored(authority(t, "B")), "revocation": soft},
		}, []string{"a no_revocations", "b no_revocations"}},
		"revocation in soft mode with nowhere to learn of it": {repository{"b.json": fields{"certificateTrustStore": stored(ca), "revocation": soft}}, []string{"b no_revocations"}},
		"revocation with a location, a host, or a list in the folder": {repository{
			"a.json": fields{"certificateTrustStore": stored(authority(t, "A")), "revocation": map[string]any{"mode": "hard", "locations": []string{"http://ca.example/a.crl"}}},
			"b.json": fields{"certificateTrustStore": stored(authority(t, "B")), "revocation": map[string]any{"mode": "hard", "hosts": []string{"ca.example"}}},
			"c.json": fields{"certificateTrustStore": stored(ca), "revocation": hard}, "c.crl": crlOf(t, ca, time.Now().Add(time.Hour)),
		}, []string{}},
		"an intermediate without its issuer": {repository{"a.json": fields{"certificateTrustStore": stored(intermediate), "revocation": withHost}}, []string{"a anchor_is_intermediate"}},
		"an intermediate with its issuer":    {repository{"a.json": fields{"certificateTrustStore": stored(intermediate, ca), "revocation": withHost}}, []string{}},
		"the profile compatible":             {repository{"a.json": fields{"certificateTrustStore": stored(loose), "certificateProfile": "compatible"}}, []string{"a profile_compatible"}},
		"shadow":                             {repository{"a.json": fields{"certificateTrustStore": stored(leaf), "mode": "shadow"}}, []string{"a in_shadow"}},
		"a lifetime that is out of bound":    {repository{"a.json": fields{"certificateTrustStore": stored(leaf), "accessTokenLifetime": "2d"}}, []string{"a value_changed"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			dir := test.clients.write(t)
			found := findings(t, dir)
			if diff := cmp.Diff(test.want, briefly(found)); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, found)
			}
			errors := slices.ContainsFunc(found, func(f finding) bool { return f.Severity == isError })
			printed, code := checked(t, dir)
			if want := map[bool]int{true: exitNo, false: exitOK}[errors]; code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			if _, code := checked(t, dir, "--fail-on=warning"); (code == exitOK) != !slices.ContainsFunc(found, func(f finding) bool { return f.Severity != isNote }) {
				t.Errorf("exit code %d of %d findings with --fail-on=warning", code, len(found))
			}
			for _, secret := range []string{"MII", "MIG", "BEGIN"} {
				if strings.Contains(printed, secret) {
					t.Errorf("%s is shown:\n%s", secret, printed)
				}
			}
		})
	}
}

func weakKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := testca.NewKey(testca.RSA1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyDER(t *testing.T, of *testca.Issued) string {
	t.Helper()
	block, _ := pem.Decode(keyPEM(t, of))
	return string(block.Bytes)
}

// What a machine is told is enough to find the place, and what to do.
func TestAFindingNamesThePlace(t *testing.T) {
	t.Parallel()
	leaf := selfSigned(t, testca.Template{CommonName: "leaf"})
	weak := selfSigned(t, testca.Template{CommonName: "weak", Key: weakKey(t)})
	dir := repository{"many.yaml": "resourceType: ClientApplication\nid: a\nstatus: off\n---\nresourceType: ClientApplication\nid: b\ncertificateTrustStore: |\n  " +
		strings.ReplaceAll(strings.TrimSpace(stored(leaf, weak)), "\n", "\n  ") + "\n"}.write(t)
	thumbprint := sum(weak.Certificate.Raw)
	want := []finding{{
		Severity: isWarning, Code: codeKeyWeak, File: filepath.Join(dir, "many.yaml"), Line: 7, Document: 2, Client: "b", Field: "certificateTrustStore",
		Block: 2, Subject: "CN=weak", Thumbprint: hex.EncodeToString(thumbprint),
		Problem: `certificate 2 ("CN=weak") is refused: key_weak: an RSA key of 1024 bits; 2048 to 8192 are accepted`,
		Advice:  rowOf(codeKeyWeak).Advice,
	}}
	if diff := cmp.Diff(want, findings(t, dir)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	dir = repository{"a.json": fields{"certificateTrustStore": stored(leaf) + string(keyPEM(t, leaf))}}.write(t)
	if found := findings(t, dir); len(found) != 1 || found[0].Block != 2 || found[0].Line == 0 {
		t.Errorf("a private key is found as %+v", found)
	}
}

func TestEachKindOfFindingIsListedOnce(t *testing.T) {
	seen := make(map[code]bool)
	for _, row := range checkCodes() {
		if seen[row.Code] || row.Meaning == "" || row.Advice == "" || !slices.Contains([]severity{isError, isWarning, isNote}, row.Severity) {
			t.Errorf("%+v", row)
		}
		seen[row.Code] = true
	}
}

func TestErrorsAreShownHoweverManyWarningsThereAre(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range maxFindings + 5 {
		fmt.Fprintf(&many, "{\"resourceType\": \"ClientApplication\", \"id\": \"a%d\"}\n", i)
	}
	printed, code := checked(t, repository{"a.json": many.String(), "z.json": fields{"status": "perhaps"}}.write(t))
	if code != exitNo || !strings.Contains(printed, "[document_unusable]") || !strings.Contains(printed, "and 5 more\n") {
		t.Errorf("exit code %d:\n%s", code, printed[max(0, len(printed)-1000):])
	}
}

// A CA that only its form keeps from issuing: the finding names the field that would
// accept it.
func TestACAOfAnotherFormIsToldOfTheProfile(t *testing.T) {
	t.Parallel()
	loose := selfSigned(t, testca.Template{CommonName: "Loose", CA: true, ExtraExtensions: []pkix.Extension{notCriticalCA}})
	printed, code := checked(t, repository{"a.json": fields{"certificateTrustStore": stored(loose)}}.write(t))
	if code != exitNo || !strings.Contains(printed, "which certificateProfile: compatible does not ask for [anchor_refused]") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
	printed, code = checked(t, repository{"a.json": fields{"certificateTrustStore": stored(loose), "certificateProfile": "compatible"}}.write(t))
	if code != exitOK || !strings.Contains(printed, "1 CA in the store would be refused without [profile_compatible]") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
}

// Hard mode makes an error of what soft mode survives.
func TestTheSeverityFollowsTheMode(t *testing.T) {
	t.Parallel()
	ca := authority(t, "CA")
	for mode, want := range map[string]severity{"soft": isWarning, "hard": isError} {
		found := findings(t, repository{"a.json": fields{"certificateTrustStore": stored(ca), "revocation": map[string]string{"mode": mode}}}.write(t))
		if len(found) != 1 || found[0].Code != codeNoRevocations || found[0].Severity != want {
			t.Errorf("%s: %+v", mode, found)
		}
	}
}
