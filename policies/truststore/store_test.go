package truststore_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestParseReadsEveryCertificateInOrder(t *testing.T) {
	a, b := selfSigned(t, testca.Template{CommonName: "a"}), selfSigned(t, testca.Template{CommonName: "b"})
	both := string(a.PEM()) + string(b.PEM())
	for sentence, text := range map[string]string{
		"one after the other":            both,
		"blank lines and tabs between":   "\n \t\n" + string(a.PEM()) + "\n\n\t" + string(b.PEM()) + "\n\n",
		"line ends of Windows":           strings.ReplaceAll(both, "\n", "\r\n"),
		"no line end after the last one": strings.TrimSuffix(both, "\n"),
	} {
		t.Run(sentence, func(t *testing.T) {
			entries, err := truststore.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			type entry struct {
				Block      int
				CommonName string
				Thumbprint [sha256.Size]byte
			}
			var got []entry
			for _, e := range entries {
				got = append(got, entry{e.Block, e.Certificate.Subject.CommonName, e.Thumbprint})
			}
			want := []entry{{1, "a", a.Thumbprint()}, {2, "b", b.Thumbprint()}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTakesBlankTextForAnEmptyStore(t *testing.T) {
	for _, text := range []string{"", " \r\n\t\n"} {
		entries, err := truststore.Parse([]byte(text))
		if err != nil || len(entries) != 0 {
			t.Errorf("Parse(%q) = %d entries, %v", text, len(entries), err)
		}
	}
}

func TestParseNamesTheBlockAndTheLineOfWhatItRefuses(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleQ==\n-----END PRIVATE KEY-----\n"
	good := string(selfSigned(t, testca.Template{CommonName: "good"}).PEM())
	lines := strings.Count(good, "\n")
	second := 1 + lines
	withHeader := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Proc-Type": "4"}, Bytes: []byte("x")}))
	cut := good[:len(good)-len("-----END CERTIFICATE-----\n")]
	for sentence, c := range map[string]struct {
		text string
		want truststore.BlockError
	}{
		"a private key first":               {key, truststore.BlockError{Block: 1, Line: 1, Problem: "a private key: a trust store holds certificates only; take the key out and consider it exposed"}},
		"a private key after a certificate": {good + key, truststore.BlockError{Block: 2, Line: second, Problem: "a private key: a trust store holds certificates only; take the key out and consider it exposed"}},
		"an encrypted private key":          {strings.ReplaceAll(key, "PRIVATE", "ENCRYPTED PRIVATE"), truststore.BlockError{Block: 1, Line: 1, Problem: "a private key: a trust store holds certificates only; take the key out and consider it exposed"}},
		"a request":                         {"\n\n" + strings.ReplaceAll(good, "CERTIFICATE", "CERTIFICATE REQUEST"), truststore.BlockError{Block: 1, Line: 3, Problem: `PEM type "CERTIFICATE REQUEST" where CERTIFICATE is expected`}},
		"OpenSSL's trusted certificate":     {strings.ReplaceAll(good, "CERTIFICATE", "TRUSTED CERTIFICATE"), truststore.BlockError{Block: 1, Line: 1, Problem: `PEM type "TRUSTED CERTIFICATE" where CERTIFICATE is expected`}},
		"text before":                       {"subject=CN = good\n" + good, truststore.BlockError{Block: 1, Line: 1, Problem: "text that is no PEM block: openssl x509 -in FILE writes the block alone"}},
		"text after":                        {good + "that was it\n", truststore.BlockError{Block: 2, Line: second, Problem: "text that is no PEM block: openssl x509 -in FILE writes the block alone"}},
		"a BEGIN line without its end":      {good + "-----BEGIN CERT", truststore.BlockError{Block: 2, Line: second, Problem: "the BEGIN line is cut short"}},
		"a PEM type over two lines":         {"-----BEGIN CERT\nIFICATE-----\n", truststore.BlockError{Block: 1, Line: 1, Problem: "the BEGIN line is cut short"}},
		"a block without its END":           {cut, truststore.BlockError{Block: 1, Line: 1, Problem: "the block is cut short or is no base64"}},
		"a block cut short before another":  {cut + good, truststore.BlockError{Block: 1, Line: 1, Problem: "the block is cut short or is no base64"}},
		"bad base64 before a good block":    {strings.Replace(good, "M", "*", 1) + good, truststore.BlockError{Block: 1, Line: 1, Problem: "the block is cut short or is no base64"}},
		"PEM headers":                       {withHeader, truststore.BlockError{Block: 1, Line: 1, Problem: "PEM headers, which certificates do not have"}},
		"base64 of something else":          {good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", truststore.BlockError{Block: 2, Line: second, Problem: "not a certificate: x509: malformed certificate"}},
		"a certificate without content":     {good + "-----BEGIN CERTIFICATE-----\nMAcwADAAAwEA\n-----END CERTIFICATE-----\n", truststore.BlockError{Block: 2, Line: second, Problem: "a malformed certificate: x509: malformed serial number"}},
		"a second certificate in one block": {twoInOne(t), truststore.BlockError{Block: 1, Line: 1, Problem: "not a certificate: x509: trailing data"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			entries, err := truststore.Parse([]byte(c.text))
			var got *truststore.BlockError
			if !errors.As(err, &got) {
				t.Fatalf("Parse = %d entries, %v; want a *BlockError", len(entries), err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("the error shows the private key: %v", err)
			}
		})
	}
}

func twoInOne(t *testing.T) string {
	t.Helper()
	der := selfSigned(t, testca.Template{CommonName: "good"}).Certificate.Raw
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(bytes.Clone(der), der...)}))
}

func TestABlockErrorReadsAsOnePlace(t *testing.T) {
	_, err := truststore.Parse([]byte("\nhello"))
	if got, want := err.Error(), "block 1 (line 2): text that is no PEM block: openssl x509 -in FILE writes the block alone"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestParseBoundsTheStore(t *testing.T) {
	one := selfSigned(t, testca.Template{CommonName: "one"}).PEM()
	if entries, err := truststore.Parse(bytes.Repeat(one, truststore.MaxStoreCertificates)); err != nil || len(entries) != 1000 {
		t.Errorf("1000 certificates: %d entries, %v", len(entries), err)
	}
	for sentence, c := range map[string]struct {
		text []byte
		want string
	}{
		"1001 certificates":       {bytes.Repeat(one, 1001), "the store has more than 1000 certificates"},
		"a byte more than 1 MiB":  {bytes.Repeat([]byte("\n"), 1<<20+1), "the store has 1048577 bytes, more than 1048576"},
		"too large and malformed": {bytes.Repeat([]byte("x"), 1<<20+1), "the store has 1048577 bytes, more than 1048576"},
	} {
		t.Run(sentence, func(t *testing.T) {
			entries, err := truststore.Parse(c.text)
			if err == nil || err.Error() != c.want || entries != nil {
				t.Errorf("Parse = %d entries, %v; want %q", len(entries), err, c.want)
			}
		})
	}
	if _, err := truststore.Parse(bytes.Repeat([]byte("\n"), 1<<20)); err != nil {
		t.Errorf("exactly 1 MiB: %v", err)
	}
}

func TestParseOneWantsExactlyOne(t *testing.T) {
	one := selfSigned(t, testca.Template{CommonName: "one"})
	got, err := truststore.ParseOne(one.PEM())
	if err != nil || !got.Equal(one.Certificate) {
		t.Errorf("ParseOne of one: %v", err)
	}
	for text, want := range map[string]string{
		"":                                     "holds 0 certificates where one is expected",
		string(bytes.Repeat(one.PEM(), 2)):     "holds 2 certificates where one is expected",
		"-----BEGIN X-----\n-----END X-----\n": `block 1 (line 1): PEM type "X" where CERTIFICATE is expected`,
	} {
		if _, err := truststore.ParseOne([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("ParseOne = %v, want %q", err, want)
		}
	}
}

func TestOnlyACAThatMaySignCertificatesIsAnAnchor(t *testing.T) {
	for sentence, c := range map[string]struct {
		template testca.Template
		want     bool
	}{
		"a CA with keyCertSign":         {testca.Template{CA: true}, true},
		"a CA without key usage":        {testca.Template{CA: true, KeyUsage: pointer(x509.KeyUsage(0))}, true},
		"a CA that may only sign CRLs":  {testca.Template{CA: true, KeyUsage: pointer(x509.KeyUsageCRLSign)}, false},
		"a CA whose key usage is empty": {testca.Template{CA: true, ExtraExtensions: []pkix.Extension{emptyKeyUsage(t)}}, false},
		"a plain certificate":           {testca.Template{}, false},
		"keyCertSign without CA":        {testca.Template{KeyUsage: pointer(x509.KeyUsageCertSign)}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			c.template.CommonName = "subject"
			entries, err := truststore.Parse(selfSigned(t, c.template).PEM())
			if err != nil {
				t.Fatal(err)
			}
			if got := entries[0].IsAnchor(); got != c.want {
				t.Errorf("IsAnchor = %t, want %t", got, c.want)
			}
		})
	}
	seed, err := testca.LikeOpenSSL("My Integration Client", "My Organization")
	if err != nil {
		t.Fatal(err)
	}
	if len(anchorsOf(t, seed)) != 1 {
		t.Error("a certificate of openssl req -x509 is CA:TRUE and an anchor, as the page on clients says")
	}
}

// emptyKeyUsage is present and allows nothing.
func emptyKeyUsage(t testing.TB) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(asn1.BitString{})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: value}
}

func TestARenewedCAIsTheSameAnchor(t *testing.T) {
	key := newKey(t, testca.P256)
	first := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key})
	renewed := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key})
	otherKey := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	otherName := selfSigned(t, testca.Template{CommonName: "CB", CA: true, Key: key})
	all := anchorsOf(t, first, renewed, otherKey, otherName)
	if all[0].ID != all[1].ID || all[0].Thumbprint == all[1].Thumbprint {
		t.Error("one subject and one key: want one ID and two thumbprints")
	}
	if all[0].ID == all[2].ID || all[0].ID == all[3].ID {
		t.Error("another key or another name: want another ID")
	}
}

func FuzzParse(f *testing.F) {
	good := selfSigned(f, testca.Template{CommonName: "good"}).PEM()
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...))
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	f.Add(good[:len(good)/2])
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nA: b\n\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN -----BEGIN "))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := truststore.Parse(text)
		if err != nil {
			var block *truststore.BlockError
			if errors.As(err, &block) && (block.Block < 1 || block.Line < 1 || block.Line > 1+bytes.Count(text, []byte("\n"))) {
				t.Errorf("a place outside the text: %v", err)
			}
			return
		}
		var again []byte
		for i, e := range entries {
			if e.Block != i+1 || e.Thumbprint != sha256.Sum256(e.Certificate.Raw) {
				t.Errorf("entry %d: block %d, or the thumbprint is of something else", i, e.Block)
			}
			again = append(again, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate.Raw})...)
		}
		if reread, err := truststore.Parse(again); err != nil || len(reread) != len(entries) {
			t.Errorf("what was read does not read again: %d of %d, %v", len(reread), len(entries), err)
		}
	})
}
