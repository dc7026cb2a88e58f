package truststore_test

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func binding(t testing.TB, kind truststore.BindingKind, text string) truststore.Binding {
	t.Helper()
	bound, err := truststore.ParseBinding(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

func TestABindingHoldsForItsSubjectAndForNoOther(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	leaf := func(template testca.Template) *testca.Issued { return issue(t, ca, template) }
	for sentence, c := range map[string]struct {
		kind truststore.BindingKind
		text string
		leaf *testca.Issued
		want string
	}{
		"the subject":                                  {truststore.SubjectDN, "CN=lab,O=Acme", leaf(testca.Template{CommonName: "lab", Organization: "Acme"}), "accepted"},
		"the subject in another order":                 {truststore.SubjectDN, "O=Acme,CN=lab", leaf(testca.Template{CommonName: "lab", Organization: "Acme"}), "subject_mismatch"},
		"a part of the subject":                        {truststore.SubjectDN, "CN=lab", leaf(testca.Template{CommonName: "lab", Organization: "Acme"}), "subject_mismatch"},
		"a subject in other letters":                   {truststore.SubjectDN, "CN=LAB", leaf(testca.Template{CommonName: "lab"}), "subject_mismatch"},
		"a common name that holds another's text":      {truststore.SubjectDN, "CN=lab,O=Acme", leaf(testca.Template{CommonName: "lab,O=Acme"}), "subject_mismatch"},
		"a certificate without a subject":              {truststore.SubjectDN, "CN=lab", leaf(testca.Template{DNSNames: []string{"lab"}}), "subject_mismatch"},
		"the DNS name":                                 {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: []string{"lab.example"}}), "accepted"},
		"the second of two DNS names":                  {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: []string{"other.example", "lab.example"}}), "accepted"},
		"the DNS name in other letters":                {truststore.SANDNS, "Lab.EXAMPLE", leaf(testca.Template{DNSNames: []string{"lAB.example"}}), "accepted"},
		"a DNS name below":                             {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: []string{"a.lab.example"}}), "subject_mismatch"},
		"a wildcard in the certificate":                {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: []string{"*.example"}}), "subject_mismatch"},
		"a host name with a dot at its end":            {truststore.SANDNS, "lab.example.", leaf(testca.Template{DNSNames: []string{"lab.example"}}), "subject_mismatch"},
		"the DNS name as common name":                  {truststore.SANDNS, "lab.example", leaf(testca.Template{CommonName: "lab.example"}), "subject_mismatch"},
		"the DNS name as URI":                          {truststore.SANDNS, "lab.example", leaf(testca.Template{URIs: []string{"lab.example"}}), "subject_mismatch"},
		"the URI":                                      {truststore.SANURI, "spiffe://td/lab", leaf(testca.Template{URIs: []string{"spiffe://td/lab"}}), "accepted"},
		"the URI with an escape that means the same":   {truststore.SANURI, "spiffe://td/lab", leaf(testca.Template{URIs: []string{"spiffe://td/l%61b"}}), "subject_mismatch"},
		"the URI with a host in other letters":         {truststore.SANURI, "https://lab.example/", leaf(testca.Template{URIs: []string{"https://LAB.example/"}}), "subject_mismatch"},
		"the URI as DNS name":                          {truststore.SANURI, "spiffe://td/lab", leaf(testca.Template{DNSNames: []string{"spiffe://td/lab"}}), "subject_mismatch"},
		"the IPv4 address":                             {truststore.SANIP, "192.0.2.7", leaf(testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 7)}}), "accepted"},
		"the IPv6 address written in another way":      {truststore.SANIP, "2001:DB8:0:0::7", leaf(testca.Template{IPs: []net.IP{net.ParseIP("2001:db8::7")}}), "accepted"},
		"another IPv4 address":                         {truststore.SANIP, "192.0.2.7", leaf(testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 8)}}), "subject_mismatch"},
		"the IPv4 address where IPv6 maps it":          {truststore.SANIP, "::ffff:192.0.2.7", leaf(testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 7)}}), "subject_mismatch"},
		"an address as DNS name":                       {truststore.SANIP, "192.0.2.7", leaf(testca.Template{DNSNames: []string{"192.0.2.7"}}), "subject_mismatch"},
		"a DNS name of the address's four bytes":       {truststore.SANIP, "97.98.99.100", leaf(testca.Template{DNSNames: []string{"abcd"}}), "subject_mismatch"},
		"the e-mail address":                           {truststore.SANEmail, "ops@lab.example", leaf(testca.Template{Emails: []string{"ops@LAB.example"}}), "accepted"},
		"an e-mail address with another local part":    {truststore.SANEmail, "Ops@lab.example", leaf(testca.Template{Emails: []string{"ops@lab.example"}}), "subject_mismatch"},
		"the e-mail address as DNS name":               {truststore.SANEmail, "ops@lab.example", leaf(testca.Template{DNSNames: []string{"ops@lab.example"}}), "subject_mismatch"},
		"a certificate without alternative names":      {truststore.SANDNS, "lab.example", leaf(testca.Template{CommonName: "lab"}), "subject_mismatch"},
		"the last of 256 alternative names":            {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: append(slices.Repeat([]string{"x"}, 255), "lab.example")}), "accepted"},
		"one of 257 alternative names":                 {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: append(slices.Repeat([]string{"x"}, 256), "lab.example")}), "certificate_malformed"},
		"a DNS name with a zero byte and another host": {truststore.SANDNS, "lab.example", leaf(testca.Template{DNSNames: []string{"lab.example\x00.evil.example"}}), "subject_mismatch"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := reasonText(binding(t, c.kind, c.text).Check(c.leaf.Certificate)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNoBindingAcceptsEveryCertificate(t *testing.T) {
	var none truststore.Binding
	if !none.IsZero() || none.Kind.String() != "none" {
		t.Errorf("the zero Binding is %v", none.Kind)
	}
	if err := none.Check(selfSigned(t, testca.Template{CommonName: "any"}).Certificate); err != nil {
		t.Error(err)
	}
}

func TestAMismatchSaysWhatIsMissing(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"}).Certificate
	err := binding(t, truststore.SANURI, "spiffe://td/lab").Check(leaf)
	if got, want := err.Error(), `subject_mismatch: certificate "CN=lab": it does not have sanUri "spiffe://td/lab"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseBindingRefusesWhatWouldNeverMatch(t *testing.T) {
	for sentence, c := range map[string]struct {
		kind truststore.BindingKind
		text string
		want string
	}{
		"an empty value":                         {truststore.SANDNS, "", "sanDns: is empty"},
		"a value over 8 KiB":                     {truststore.SANURI, strings.Repeat("a", 8193), "sanUri: has more than 8192 bytes"},
		"a wildcard":                             {truststore.SANDNS, "*.example", "sanDns: has a wildcard, which no binding expands"},
		"a URI without a scheme":                 {truststore.SANURI, "lab.example", "sanUri: is no URI"},
		"a network for an address":               {truststore.SANIP, "192.0.2.0/24", "sanIp: is no IP address"},
		"an address with a zone":                 {truststore.SANIP, "fe80::1%eth0", "sanIp: is no IP address"},
		"an IPv4 address with leading zeros":     {truststore.SANIP, "192.0.02.7", "sanIp: is no IP address"},
		"an e-mail address without @":            {truststore.SANEmail, "lab.example", "sanEmail: is no address of the form local@domain"},
		"an e-mail address with two @":           {truststore.SANEmail, "a@b@c", "sanEmail: is no address of the form local@domain"},
		"no kind":                                {truststore.NoBinding, "x", "none: kind 0 is none of RFC 8705"},
		"the form of openssl's oneline":          {truststore.SubjectDN, "/CN=lab/O=Acme", `subjectDn: the name begins with "/": write it as RFC 4514 does, for instance CN=client,O=Example`},
		"an attribute type unknown to us":        {truststore.SubjectDN, "CN=a,FOO=b", "subjectDn: at byte 5: the attribute type is not known: write its OID"},
		"text without an equals sign":            {truststore.SubjectDN, "lab", "subjectDn: at byte 0: an attribute is written type=value"},
		"an attribute without a type":            {truststore.SubjectDN, "=lab", "subjectDn: at byte 0: an attribute is written type=value"},
		"a comma at the end":                     {truststore.SubjectDN, "CN=lab,", "subjectDn: at byte 7: an attribute is written type=value"},
		"a plus sign at the end":                 {truststore.SubjectDN, "CN=lab+", "subjectDn: at byte 7: an attribute is written type=value"},
		"blanks only":                            {truststore.SubjectDN, "   ", "subjectDn: at byte 3: an attribute is written type=value"},
		"an unescaped semicolon":                 {truststore.SubjectDN, "CN=a;O=b", `subjectDn: at byte 4: ';' is to be escaped with a backslash`},
		"a quoted value as RFC 1779 had it":      {truststore.SubjectDN, `CN="a, b"`, `subjectDn: at byte 3: '"' is to be escaped with a backslash`},
		"a zero byte":                            {truststore.SubjectDN, "CN=a\x00", `subjectDn: at byte 4: '\x00' is to be escaped with a backslash`},
		"a backslash at the end":                 {truststore.SubjectDN, `CN=a\`, "subjectDn: at byte 4: a backslash stands before a special character or two hexadecimal digits"},
		"a backslash before a letter":            {truststore.SubjectDN, `CN=a\x`, "subjectDn: at byte 4: a backslash stands before a special character or two hexadecimal digits"},
		"escaped bytes that are not UTF-8":       {truststore.SubjectDN, `CN=\C3\28`, "subjectDn: at byte 9: the escaped bytes are not UTF-8"},
		"bytes that are not UTF-8":               {truststore.SubjectDN, "CN=\xff", "subjectDn: the name is not UTF-8"},
		"hexadecimal that is none":               {truststore.SubjectDN, "CN=#0C", "subjectDn: at byte 3: a value that begins with # is one encoded ASN.1 value"},
		"hexadecimal of an odd number of digits": {truststore.SubjectDN, "CN=#0C0", "subjectDn: at byte 3: a value that begins with # is written in hexadecimal"},
		"hexadecimal with bytes after the value": {truststore.SubjectDN, "CN=#0C016100", "subjectDn: at byte 3: a value that begins with # is one encoded ASN.1 value"},
		"an OID with a leading zero":             {truststore.SubjectDN, "2.05.4.3=a", "subjectDn: at byte 0: the attribute type is not known: write its OID"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := truststore.ParseBinding(c.kind, c.text)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// What section 4 of RFC 4514 shows, in names of our own: each line is one name
// in several spellings.
func TestSpellingsOfOneNameAreOneSubject(t *testing.T) {
	names := [][]string{
		{"UID=mmuster,DC=lab,DC=test", "uid=mmuster, dc=lab, dc=test", " UID = mmuster ,DC=lab,DC=test\n", "0.9.2342.19200300.100.1.1=mmuster,DC=lab,DC=test"},
		{"OU=Trade+CN=M. Muster,DC=lab,DC=test", "CN=M. Muster+OU=Trade,DC=lab,DC=test", "CN=M. Muster + OU=Trade,DC=lab,DC=test"},
		{"CN=Lab,OU=Trade,DC=lab,DC=test"},
		{"OU=Trade,CN=M. Muster,DC=lab,DC=test"},
		{`CN=Max \"Maxl\" Muster\, Dr.,DC=lab`, `CN=Max \22Maxl\22 Muster\2C Dr.,DC=lab`, `CN=Max \22Maxl\22 Muster\2c Dr.,DC=lab`},
		{`CN=Before\0dAfter,DC=lab`, "CN=Before\rAfter,DC=lab"},
		{"1.3.6.1.4.1.55555.0=#04024869"},
		{"1.3.6.1.4.1.55555.0=#0C024869", "1.3.6.1.4.1.55555.0=Hi", "1.3.6.1.4.1.55555.0=#13024869", "1.3.6.1.4.1.55555.0=#1E0400480069", "1.3.6.1.4.1.55555.0=#0c024869 "},
		{`CN=Lu\C4\8Di\C4\87`, "CN=Lučić", `CN=Lu\c4\8di\c4\87`},
		{`CN=Lucic`},
		{`CN=a\ `, `CN=a\20`, `CN=a\ ` + "  ", `CN=a\ ` + "\n"},
		{"CN=a", "CN= a ", "CN=a  "},
		{`CN=\ a`, `CN=\20a`},
		{`CN=\#a`, `CN=\23a`},
		{"CN=a=b", `CN=a\=b`, `CN=a\3Db`},
		{"CN=a  b"},
		{"CN=a b"},
		{"CN=", "CN= ", "CN=#0C00"},
		{"CN=a,CN=a"},
		{"CN=a+CN=a"},
	}
	type spelling struct {
		name int
		text string
	}
	seen := make(map[truststore.BindingKey]spelling)
	for i, spellings := range names {
		key := binding(t, truststore.SubjectDN, spellings[0]).Key()
		if other, taken := seen[key]; taken {
			t.Errorf("%q and %q are one subject", spellings[0], other.text)
		}
		seen[key] = spelling{i, spellings[0]}
		for _, text := range spellings[1:] {
			if binding(t, truststore.SubjectDN, text).Key() != key {
				t.Errorf("%q and %q are two subjects", spellings[0], text)
			}
		}
	}
}

// The .txt files are what openssl x509 -subject -nameopt RFC2253 prints of the
// .pem beside them.
func TestEveryNameThatOpenSSLPrintsIsTheSubjectOfItsCertificateAndOfNoOther(t *testing.T) {
	files, err := filepath.Glob("testdata/names/*.txt")
	if err != nil || len(files) < 13 {
		t.Fatalf("%d names, %v", len(files), err)
	}
	for _, printed := range files {
		printed = strings.TrimSuffix(filepath.Base(printed), ".txt")
		bound := binding(t, truststore.SubjectDN, string(readTestdata(t, "names/"+printed+".txt")))
		for _, held := range files {
			held = strings.TrimSuffix(filepath.Base(held), ".txt")
			want := "subject_mismatch"
			// T61String has no one reading, so no text is equal to it.
			if printed == held && held != "t61" {
				want = "accepted"
			}
			if got := reasonText(bound.Check(certificateFile(t, "names/"+held+".pem"))); got != want {
				t.Errorf("the name printed of %s, the certificate %s: got %s, want %s", printed, held, got, want)
			}
		}
	}
}

func TestAStringTypeWithoutOneReadingIsBoundByItsBytes(t *testing.T) {
	leaf := certificateFile(t, "names/t61.pem")
	if err := binding(t, truststore.SubjectDN, "CN=#140774656C65746578").Check(leaf); err != nil {
		t.Error(err)
	}
}

func FuzzParseName(f *testing.F) {
	files, err := filepath.Glob("testdata/names/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(string(readTestdata(f, "names/"+filepath.Base(file))))
	}
	for _, text := range []string{`CN=a\ `, "CN=#0C0161+O=b", "/CN=a", `CN=\C3\28`, "2.5.4.3=a", "CN=a,", "CN=#", `\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		bound, err := truststore.ParseBinding(truststore.SubjectDN, text)
		if err != nil {
			return
		}
		// None of these can stand in a name's last value without a meaning.
		padded, err := truststore.ParseBinding(truststore.SubjectDN, "  "+text+"  ")
		if err == nil && padded.Key() != bound.Key() && !strings.HasSuffix(strings.TrimRight(text, "\r\n"), `\`) && !strings.HasSuffix(text, "\n") && !strings.HasSuffix(text, "\r") {
			t.Errorf("blanks around %q change the subject", text)
		}
		longer, err := truststore.ParseBinding(truststore.SubjectDN, "CN=more,"+text)
		if err == nil && longer.Key() == bound.Key() {
			t.Errorf("%q is the same subject with a name before it", text)
		}
		if again, err := truststore.ParseBinding(truststore.SubjectDN, text); err != nil || again.Key() != bound.Key() {
			t.Errorf("%q does not read the same twice: %v", text, err)
		}
	})
}

func FuzzAltNames(f *testing.F) {
	ca, err := testca.SelfSigned(testca.Template{CommonName: "CA", CA: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"lab.example", "LAB.example", "spiffe://td/lab", "a,b;c=d", "*.example", "a\x00b", "ops@lab.example"} {
		f.Add(name)
	}
	kinds := []truststore.BindingKind{truststore.SANDNS, truststore.SANURI, truststore.SANEmail}
	f.Fuzz(func(t *testing.T, name string) {
		leaves := make(map[truststore.BindingKind]*testca.Issued)
		for kind, template := range map[truststore.BindingKind]testca.Template{
			truststore.SANDNS:   {Key: ca.Key, DNSNames: []string{name}},
			truststore.SANURI:   {Key: ca.Key, URIs: []string{name}},
			truststore.SANEmail: {Key: ca.Key, Emails: []string{name}},
		} {
			leaf, err := ca.Issue(template)
			if err != nil {
				return
			}
			leaves[kind] = leaf
		}
		for _, kind := range kinds {
			bound, err := truststore.ParseBinding(kind, name)
			if err != nil {
				continue
			}
			for _, held := range kinds {
				if matches := bound.Check(leaves[held].Certificate) == nil; matches != (held == kind) {
					t.Errorf("%s %q, a certificate with it as %s: matches is %t", kind, name, held, matches)
				}
			}
		}
	})
}
