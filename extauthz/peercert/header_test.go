package peercert_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestWhatEachProxySendsIsRead(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for _, f := range peercert.Formats() {
		t.Run(string(f), func(t *testing.T) {
			r := readerOf(t, f)
			var chained []*testca.Issued
			if carriesChain(f) {
				chained = []*testca.Issued{p.near, p.far}
			}
			wantEvidence(t, r, sentBy(f, p.leaf).presented(), p.leaf)
			wantEvidence(t, r, sentBy(f, p.leaf, p.near, p.far).presented(), p.leaf, chained...)
		})
	}
}

func TestProxiesMayEncodeAsTheyLike(t *testing.T) {
	p := newPKI(t, testca.Template{})
	both, alb, rfc := []*testca.Issued{p.near, p.far}, headerOf(peercert.FormatALB), headerOf(peercert.FormatRFC9440)
	chained := sentBy(peercert.FormatRFC9440, p.leaf, p.near, p.far)
	apache := sentBy(peercert.FormatApache, p.leaf)[named][0]
	for sentence, c := range map[string]struct {
		format peercert.Format
		sent   headers
		want   []*testca.Issued
	}{
		"an ALB that escapes everything":                      {peercert.FormatALB, headers{alb: {chain(p.leaf, p.near, p.far)}}, both},
		"escapes in lower case":                               {peercert.FormatALB, headers{alb: {lowerEscapes(chain(p.leaf))}}, nil},
		"line breaks of CR and LF":                            {peercert.FormatALB, headers{alb: {strings.ReplaceAll(chain(p.leaf), "%0A", "%0D%0A")}}, nil},
		"no line break at the end":                            {peercert.FormatNginx, headers{named: {strings.TrimSuffix(p.leaf.URLEncodedPEM(), "%0A")}}, nil},
		"a chain that repeats certificates, the leaf too":     {peercert.FormatALB, headers{alb: {chain(p.leaf, p.near, p.leaf, p.near, p.far)}}, both},
		"Traefik before 2.9.4":                                {peercert.FormatTraefik, oldTraefik(p.leaf, p.near, p.far), both},
		"a space at the end of PEM on one line":               {peercert.FormatApache, headers{named: {apache + " "}}, nil},
		"Client-Cert-Chain in two lines":                      {peercert.FormatRFC9440, headers{rfc: chained[rfc], rfc + "-chain": {":" + base64DER(p.near) + ":", ":" + base64DER(p.far) + ":"}}, both},
		"Client-Cert-Chain without spaces":                    {peercert.FormatRFC9440, headers{rfc: chained[rfc], rfc + "-chain": {strings.ReplaceAll(chained[rfc+"-chain"][0], " ", "")}}, both},
		"an empty Client-Cert-Chain":                          {peercert.FormatRFC9440, headers{rfc: chained[rfc], rfc + "-chain": {""}}, nil},
		"the leaf in Client-Cert-Chain":                       {peercert.FormatRFC9440, headers{rfc: chained[rfc], rfc + "-chain": {":" + base64DER(p.leaf) + ":," + chained[rfc+"-chain"][0]}}, both},
		"a header of another format beside it, which is left": {peercert.FormatALB, headers{alb: {chain(p.leaf)}, rfc: {":" + base64DER(p.stranger) + ":"}, header: {about(p.stranger).String()}}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			wantEvidence(t, readerOf(t, c.format), c.sent.presented(), p.leaf, c.want...)
		})
	}
}

func TestAPlusSignIsAPlusSign(t *testing.T) {
	c := withPlus(t)
	for _, f := range peercert.Formats() {
		wantEvidence(t, readerOf(t, f), sentBy(f, c).presented(), c)
	}
	wantEvidence(t, readerOf(t, peercert.FormatTraefik), oldTraefik(c).presented(), c)
	wantEvidence(t, newReader(t, peercert.XFCC, 0), presented("", array(inJSON(c))), c)
}

// Appendix A of RFC 9440, unfolded.
const (
	rfc9440Leaf = "MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk="
	rfc9440CA   = "MIIB5jCCAYugAwIBAgIBFjAKBggqhkjOPQQDAjBWMQswCQYDVQQGEwJVUzEbMBkGA1UECgwSTGV0J3MgQXV0aGVudGljYXRlMSowKAYDVQQDDCFMZXQncyBBdXRoZW50aWNhdGUgUm9vdCBBdXRob3JpdHkwHhcNMjAwMTE0MjEzMjMwWhcNMzAwMTExMjEzMjMwWjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJf+aA54RC5pyLAR5yfXVYmNpgd+CGUTDp2KOGhc0gK91zxhHesEYkdXkpS2UN8Kati+yHtWCV3kkhCngGyv7RqjZjBkMB0GA1UdDgQWBBRm3WjLa38lbEYCuiCPct0ZaSED2DAfBgNVHSMEGDAWgBTEA2Q6eecKu9g9yb5glbkhhVINGDASBgNVHRMBAf8ECDAGAQH/AgEAMA4GA1UdDwEB/wQEAwIBhjAKBggqhkjOPQQDAgNJADBGAiEA5pLvaFwRRkxomIAtDIwg9D7gC1xzxBl4r28EzmSO1pcCIQCJUShpSXO9HDIQMUgH69fNDEMHXD3RRX5gP7kuu2KGMg=="
)

func TestTheExampleOfRFC9440IsRead(t *testing.T) {
	got, err := readerOf(t, peercert.FormatRFC9440).Read(headers{
		"client-cert": {":" + rfc9440Leaf + ":"}, "client-cert-chain": {":" + rfc9440CA + ":"},
	}.presented(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Leaf.Subject.CommonName != "BC" || len(got.Intermediates) != 1 || got.Leaf.CheckSignatureFrom(got.Intermediates[0]) != nil {
		t.Errorf("read %s and %d intermediates", got.Leaf.Subject, len(got.Intermediates))
	}
}

func TestAClientWithoutACertificateIsOne(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for _, f := range peercert.Formats() {
		r, missing := readerOf(t, f), refusal{decision.CertificateMissing, headerOf(f)}
		wantRefusal(t, r, headers{}.presented(), missing)
		wantRefusal(t, r, headers{headerOf(f): {""}}.presented(), missing)
		wantRefusal(t, r, peercert.Presented{}, missing)
		wantRefusal(t, r, presented(p.leaf.URLEncodedPEM(), p.full().String()), missing)
	}
	wantRefusal(t, readerOf(t, peercert.FormatApache), headers{named: {"(null)"}}.presented(), refusal{decision.CertificateMissing, named})
	rfc := headerOf(peercert.FormatRFC9440)
	wantRefusal(t, readerOf(t, peercert.FormatRFC9440), headers{rfc: {"::"}}.presented(), refusal{decision.CertificateMissing, rfc})
	chainOnly := headers{rfc + "-chain": sentBy(peercert.FormatRFC9440, p.leaf)[rfc]}
	wantRefusal(t, readerOf(t, peercert.FormatRFC9440), chainOnly.presented(), refusal{decision.CertificateMissing, rfc})
}

func TestARefusalSaysWhatAnotherProxysHeaderLooksLike(t *testing.T) {
	p := newPKI(t, testca.Template{})
	like := map[peercert.Format]string{
		peercert.FormatALB: "nginx or alb or alb-leaf", peercert.FormatALBLeaf: "nginx or alb or alb-leaf", peercert.FormatNginx: "nginx or alb or alb-leaf",
		peercert.FormatRFC9440: "rfc9440", peercert.FormatApache: "apache", peercert.FormatHAProxy: "haproxy or traefik", peercert.FormatTraefik: "traefik",
	}
	for _, f := range peercert.Formats() {
		for _, sent := range peercert.Formats() {
			value := sentBy(sent, p.leaf, p.near)[headerOf(sent)][0]
			_, err := readerOf(t, f).Read(headers{headerOf(f): {value}}.presented(), nil)
			if decision.ReasonOf(err) != decision.CertificateMalformed {
				continue // the two are read alike
			}
			want := "; the format is " + string(f) + ", and the value begins like " + like[sent]
			if said := strings.HasSuffix(err.Error(), want); said == strings.Contains(like[sent], string(f)) {
				t.Errorf("%s that is read as %s: %v", sent, f, err)
			}
		}
		_, err := readerOf(t, f).Read(headers{headerOf(f): {p.full().String()}}.presented(), nil)
		if !strings.HasSuffix(err.Error(), "begins like xfcc") {
			t.Errorf("x-forwarded-client-cert that is read as %s: %v", f, err)
		}
		if _, err := readerOf(t, f).Read(headers{headerOf(f): {"none of them"}}.presented(), nil); strings.Contains(err.Error(), "begins like") {
			t.Errorf("no certificate that is read as %s: %v", f, err)
		}
	}
}

func TestAHeaderIsReadOnce(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for _, f := range peercert.Formats() {
		t.Run(string(f), func(t *testing.T) {
			r, name := readerOf(t, f), headerOf(f)
			honest, forged := sentBy(f, p.leaf)[name][0], sentBy(f, p.stranger)[name][0]
			for sentence, values := range map[string][]string{
				"a caller's before the proxy's": {forged, honest}, "a caller's behind the proxy's": {honest, forged},
				"the same twice": {honest, honest}, "an empty one first": {"", honest}, "an empty one last": {honest, ""},
			} {
				t.Run(sentence, func(t *testing.T) {
					wantRefusal(t, r, headers{name: values}.presented(), refusal{decision.EvidenceRepeated, name})
				})
			}
			// Envoy joins the values of a header by commas for ext_authz.
			if f == peercert.FormatTraefik {
				return // whose commas divide certificates
			}
			for _, joined := range []string{forged + "," + honest, honest + "," + forged, honest + ", " + honest, "," + honest, honest + ","} {
				if _, err := r.Read(headers{name: {joined}}.presented(), nil); decision.ReasonOf(err) != decision.CertificateMalformed {
					t.Errorf("joined by a comma: %v", err)
				}
			}
		})
	}
}

func TestNoFormatTakesWhatIsNotItsOwn(t *testing.T) {
	p := newPKI(t, testca.Template{})
	same := map[peercert.Format][]peercert.Format{
		peercert.FormatALB:     {peercert.FormatALBLeaf, peercert.FormatNginx},
		peercert.FormatALBLeaf: {peercert.FormatALB, peercert.FormatNginx},
		peercert.FormatNginx:   {peercert.FormatALB, peercert.FormatALBLeaf},
		peercert.FormatHAProxy: {peercert.FormatTraefik},
		peercert.FormatTraefik: {peercert.FormatHAProxy},
	}
	for _, f := range peercert.Formats() {
		for _, other := range peercert.Formats() {
			if f == other || slices.Contains(same[f], other) {
				continue
			}
			sent := headers{headerOf(f): sentBy(other, p.leaf)[headerOf(other)]}
			if _, err := readerOf(t, f).Read(sent.presented(), nil); decision.ReasonOf(err) != decision.CertificateMalformed {
				t.Errorf("%s read what %s writes: %v", f, other, err)
			}
		}
	}
}

func TestAHeaderThatBreaksItsFormatIsRefused(t *testing.T) {
	p := newPKI(t, testca.Template{})
	key, err := p.leaf.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	der, leaf, near := base64DER(p.leaf), p.leaf.URLEncodedPEM(), p.near.URLEncodedPEM()
	folded := sentBy(peercert.FormatApache, p.leaf)[named][0]
	plus := withPlus(t)
	half := escapePEM("CERTIFICATE", p.near.Certificate.Raw[:99], nil)
	longer := escapePEM("CERTIFICATE", append(slices.Clone(p.leaf.Certificate.Raw), 0), nil)
	const alb, nginx, rfc, apache, haproxy, traefik = peercert.FormatALB, peercert.FormatNginx, peercert.FormatRFC9440, peercert.FormatApache, peercert.FormatHAProxy, peercert.FormatTraefik
	for sentence, c := range map[string]struct {
		format peercert.Format
		value  string
		place  string
	}{
		"a plus sign for a space":                      {alb, strings.ReplaceAll(leaf, "%20", "+"), ""},
		"a plus sign escaped as a query would a space": {alb, strings.ReplaceAll(albEscape(plus), "+", "%20"), ""},
		"a private key alone":                          {alb, escapeAll(string(key)), ""},
		"a private key behind the leaf":                {alb, leaf + escapeAll(string(key)), ""},
		"a private key before the leaf":                {alb, escapeAll(string(key)) + leaf, ""},
		"a request for a certificate":                  {nginx, escapePEM("CERTIFICATE REQUEST", p.leaf.Certificate.Raw, nil), ""},
		"a trusted certificate of OpenSSL":             {nginx, escapePEM("TRUSTED CERTIFICATE", p.leaf.Certificate.Raw, nil), ""},
		"PEM with headers":                             {nginx, escapePEM("CERTIFICATE", p.leaf.Certificate.Raw, map[string]string{"a": "b"}), ""},
		"text before the block":                        {nginx, "x" + leaf, ""},
		"text behind the block":                        {nginx, leaf + "x", ""},
		"text between the blocks":                      {alb, leaf + "x" + near, ""},
		"a chain where there is a leaf alone":          {nginx, leaf + near, ""},
		"a chain where ALB sends the leaf alone":       {peercert.FormatALBLeaf, leaf + near, ""},
		"line breaks that are not escaped":             {nginx, string(p.leaf.PEM()), ""},
		"an escaped NUL":                               {nginx, leaf + "%00", ""},
		"a percent sign without digits":                {nginx, leaf + "%", ""},
		"a percent sign with one digit":                {nginx, leaf + "%0", ""},
		"a percent sign with a letter too far":         {nginx, leaf + "%0G", ""},
		"a leaf that is cut short":                     {alb, half + near, " certificate 1"},
		"an intermediate that is cut short":            {alb, leaf + half, " certificate 2"},
		"a byte behind the certificate":                {nginx, longer, " certificate 1"},

		"no colons":                       {rfc, der, ""},
		"no colon at the end":             {rfc, ":" + der, ""},
		"no colon at the beginning":       {rfc, der + ":", ""},
		"one colon":                       {rfc, ":", ""},
		"a parameter":                     {rfc, ":" + der + ":;a=1", ""},
		"a parameter of no value":         {rfc, ":" + der + ":;a", ""},
		"a string of the structured kind": {rfc, `"` + der + `"`, ""},
		"a list where one item belongs":   {rfc, ":" + der + ":, :" + der + ":", ""},
		"an inner list":                   {rfc, "(:" + der + ":)", ""},
		"a space in the base64":           {rfc, ": " + der + ":", ""},
		"base64 of URLs":                  {rfc, ":" + strings.NewReplacer("+", "-", "/", "_").Replace(base64DER(plus)) + ":", ""},
		"base64 without padding":          {rfc, ":" + strings.TrimRight(padded1(t), "=") + ":", ""},
		"spare bits in the base64":        {rfc, ":" + spareBits(padded1(t)) + ":", ""},
		"PEM in a byte sequence":          {rfc, ":" + leaf + ":", ""},
		"a tab around it":                 {rfc, ":" + der + ":\t", ""},

		"PEM with its line breaks":              {apache, string(p.leaf.PEM()), ""},
		"PEM folded by tabs":                    {apache, strings.ReplaceAll(string(p.leaf.PEM()), "\n", "\t"), ""},
		"two spaces for a line break":           {apache, strings.Replace(folded, "- M", "-  M", 1), ""},
		"two spaces at the end":                 {apache, folded + "  ", ""},
		"a space before it":                     {apache, " " + folded, ""},
		"no space behind its first line":        {apache, strings.Replace(folded, "----- M", "-----M", 1), ""},
		"two blocks on one line":                {apache, folded + " " + folded, " certificate 1"},
		"a private key on one line":             {apache, strings.ReplaceAll(string(key), "\n", " "), ""},
		"no block between the lines":            {apache, "-----BEGIN CERTIFICATE----- -----END CERTIFICATE-----", ""},
		"an empty block":                        {apache, "-----BEGIN CERTIFICATE-----  -----END CERTIFICATE-----", ""},
		"URL-encoded PEM":                       {apache, leaf, ""},
		"null in capitals":                      {apache, "(NULL)", ""},
		"a dash, as logs have it":               {haproxy, "-", " certificate 1"},
		"null where nobody writes it":           {haproxy, "(null)", " certificate 1"},
		"two certificates of bare base64":       {haproxy, der + "," + der, " certificate 1"},
		"two certificates run together":         {haproxy, base64Both(p.leaf, p.near), " certificate 1"},
		"a space in bare base64":                {haproxy, der[:40] + " " + der[40:], " certificate 1"},
		"URL-encoded base64":                    {haproxy, strings.ReplaceAll(base64DER(plus), "+", "%2B"), " certificate 1"},
		"base64 of PEM":                         {haproxy, base64Text(string(p.leaf.PEM())), " certificate 1"},
		"a comma at the end":                    {traefik, der + ",", " certificate 2"},
		"a comma at the beginning":              {traefik, "," + der, " certificate 1"},
		"an escaped comma":                      {traefik, der + "%2C" + der, " certificate 1"},
		"an escaped line break":                 {traefik, der[:40] + "%0A" + der[40:], " certificate 1"},
		"a space after the comma":               {traefik, der + ", " + der, " certificate 2"},
		"an escape of Traefik's that is broken": {traefik, der + ",%2", " certificate 2"},
	} {
		t.Run(sentence, func(t *testing.T) {
			name := headerOf(c.format)
			wantRefusal(t, readerOf(t, c.format), headers{name: {c.value}}.presented(),
				refusal{decision.CertificateMalformed, name + c.place})
		})
	}
}

func TestAnRFC9440ChainThatBreaksItsFormatIsRefused(t *testing.T) {
	p := newPKI(t, testca.Template{})
	name := headerOf(peercert.FormatRFC9440)
	near, leaf := ":"+base64DER(p.near)+":", sentBy(peercert.FormatRFC9440, p.leaf)[name]
	for sentence, c := range map[string]struct {
		lines []string
		place string
	}{
		"no byte sequence":              {[]string{"x"}, " certificate 1"},
		"a comma at the end":            {[]string{near + ","}, " certificate 2"},
		"a comma at the beginning":      {[]string{"," + near}, " certificate 1"},
		"two commas":                    {[]string{near + ",," + near}, " certificate 2"},
		"an empty line beside another":  {[]string{near, ""}, " certificate 2"},
		"an empty byte sequence":        {[]string{near + ", ::"}, " certificate 2"},
		"a parameter":                   {[]string{near + ";a=1, " + near}, " certificate 1"},
		"no certificate in it":          {[]string{near, ":AAAA:"}, " certificate 2"},
		"a sequence that is torn apart": {[]string{near[:20], near[20:]}, " certificate 1"},
		"a fault in the second line":    {[]string{near, near + " x"}, " certificate 2"},
		"a control character":           {[]string{near + "\x00"}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			where := name + "-chain" + c.place
			wantRefusal(t, readerOf(t, peercert.FormatRFC9440), headers{name: leaf, name + "-chain": c.lines}.presented(),
				refusal{decision.CertificateMalformed, where})
		})
	}
}

func TestAHeaderIsBoundedBeforeItIsDecoded(t *testing.T) {
	p := newPKI(t, testca.Template{})
	over := strings.Repeat("%", peercert.MaxBytes+1) // nothing of it decodes
	for _, f := range peercert.Formats() {
		wantRefusal(t, readerOf(t, f), headers{headerOf(f): {over}}.presented(), refusal{decision.EvidenceTooLarge, headerOf(f)})
		wantRefusal(t, readerOf(t, f), headers{headerOf(f): {over[:peercert.MaxBytes]}}.presented(), refusal{decision.CertificateMalformed, place(f)})
		wantRefusal(t, readerOf(t, f), headers{headerOf(f): {over, over}}.presented(), refusal{decision.EvidenceTooLarge, headerOf(f)})
	}
	name := headerOf(peercert.FormatRFC9440)
	leaf := sentBy(peercert.FormatRFC9440, p.leaf)[name]
	wantRefusal(t, readerOf(t, peercert.FormatRFC9440), headers{name: leaf, name + "-chain": {over[:peercert.MaxBytes-len(leaf[0])+1]}}.presented(),
		refusal{decision.EvidenceTooLarge, name})
	white := strings.Repeat("%0A", (peercert.MaxBytes-len(p.leaf.URLEncodedPEM()))/3)
	wantEvidence(t, readerOf(t, peercert.FormatNginx), headers{named: {p.leaf.URLEncodedPEM() + white}}.presented(), p.leaf)
	wantRefusal(t, readerOf(t, peercert.FormatNginx), headers{named: {p.leaf.URLEncodedPEM() + white + "%0A"}}.presented(),
		refusal{decision.EvidenceTooLarge, named})
}

// place is where a format that counts certificates finds the first at fault.
func place(f peercert.Format) string {
	if f == peercert.FormatTraefik || f == peercert.FormatHAProxy {
		return headerOf(f) + " certificate 1"
	}
	return headerOf(f)
}

func TestAHeaderHasAtMostTenCertificates(t *testing.T) {
	all := strangers(t, 11)
	same := slices.Repeat(all[1:2], 10)
	for _, f := range peercert.Formats() {
		if !carriesChain(f) {
			continue
		}
		where := headerOf(f)
		if f == peercert.FormatRFC9440 {
			where += "-chain certificate 10"
		}
		wantEvidence(t, readerOf(t, f), sentBy(f, all[:10]...).presented(), all[0], all[1:10]...)
		wantEvidence(t, readerOf(t, f), sentBy(f, append(all[:1:1], same[:9]...)...).presented(), all[0], all[1])
		wantRefusal(t, readerOf(t, f), sentBy(f, all...).presented(), refusal{decision.EvidenceTooManyCertificates, where})
		wantRefusal(t, readerOf(t, f), sentBy(f, append(all[:1:1], same...)...).presented(), refusal{decision.EvidenceTooManyCertificates, where})
	}
	name := headerOf(peercert.FormatTraefik)
	wantRefusal(t, readerOf(t, peercert.FormatTraefik), headers{name: {strings.Repeat(",", peercert.MaxBytes)}}.presented(),
		refusal{decision.EvidenceTooManyCertificates, name})
}

func TestTheTraceTellsWhichHeaderWasRead(t *testing.T) {
	p := newPKI(t, testca.Template{})
	r, err := peercert.NewReader(peercert.Config{From: peercert.Header, Header: "X-Mtls-Cert", Format: peercert.FormatNginx})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		in   headers
		want decision.Entry
	}{
		{sentBy(peercert.FormatNginx, p.leaf), decision.Entry{Step: decision.StepEvidence, Outcome: decision.Passed, Detail: "certificate with SHA-256 " + hash(p.leaf) + " and 0 intermediates, from x-mtls-cert as nginx"}},
		{headers{}, decision.Entry{Step: decision.StepEvidence, Outcome: decision.Failed, Detail: "certificate_missing: x-mtls-cert: absent"}},
	} {
		var trace decision.Trace
		_, _ = r.Read(test.in.presented(), &trace)
		if diff := cmp.Diff([]decision.Entry{test.want}, trace.Entries()); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
	}
}

func TestARefusalOfAHeaderDoesNotRepeatWhatItWasSent(t *testing.T) {
	p := newPKI(t, testca.Template{})
	long, der := strings.Repeat("x", 20_000), base64DER(p.leaf)
	for _, f := range peercert.Formats() {
		for _, value := range []string{long, "%" + long, ":" + long + ":", der + "," + long, ":" + der + ":;" + long, "-----BEGIN " + long + "-----"} {
			_, err := readerOf(t, f).Read(headers{headerOf(f): {value}}.presented(), nil)
			if err == nil || len(err.Error()) > 500 {
				t.Errorf("%s: an error of %d bytes, want one of at most 500: %.100v", f, len(err.Error()), err)
			}
		}
	}
	_, err := newReader(t, peercert.XFCC, 0).Read(presented("", `[{"`+long+`":1}]`), nil)
	if err == nil || len(err.Error()) > 500 {
		t.Errorf("JSON: an error of %.100v", err)
	}
}

func TestTheNameOfTheHeader(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for _, f := range peercert.Formats() {
		r, err := peercert.NewReader(peercert.Config{From: peercert.Header, Header: "X-Of-Its-Own", Format: f})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"x-of-its-own"}
		if f == peercert.FormatRFC9440 {
			want = append(want, "x-of-its-own-chain")
		}
		if diff := cmp.Diff(want, r.Headers()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
		wantEvidence(t, r, headers{"x-of-its-own": sentBy(f, p.leaf)[headerOf(f)]}.presented(), p.leaf)
	}
	for source, want := range map[peercert.Source][]string{
		peercert.Peer: {header}, peercert.XFCC: {header}, peercert.Statement: {peercert.StatementHeader}, peercert.TLS: nil,
	} {
		if diff := cmp.Diff(want, newReader(t, source, 0).Headers()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

func TestNewReaderRefusesHeadersThatMakeNoSense(t *testing.T) {
	of := func(name string, f peercert.Format) peercert.Config {
		return peercert.Config{From: peercert.Header, Header: name, Format: f}
	}
	for sentence, config := range map[string]peercert.Config{
		"no format":                       of(named, ""),
		"a format that does not exist":    of(named, "pem"),
		"a format in capitals":            of(named, "ALB"),
		"no header for nginx":             of("", peercert.FormatNginx),
		"no header for apache":            of("", peercert.FormatApache),
		"no header for haproxy":           of("", peercert.FormatHAProxy),
		"a space in the name":             of("x mtls", peercert.FormatNginx),
		"a pseudo-header":                 of(":path", peercert.FormatNginx),
		"a name beyond ASCII":             of("x-zo\u00eb", peercert.FormatNginx),
		"Envoy's own header":              of(header, peercert.FormatNginx),
		"our statement's":                 of(peercert.StatementHeader, peercert.FormatNginx),
		"where the chain is":              of("Client-Cert-Chain", peercert.FormatRFC9440),
		"Authorization":                   of("authorization", peercert.FormatHAProxy),
		"a header for source.certificate": {From: peercert.Peer, Header: named},
		"a format for our own TLS":        {From: peercert.TLS, Format: peercert.FormatALB},
		"hops beside a header":            {From: peercert.Header, Format: peercert.FormatALB, XFCCHops: 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			if r, err := peercert.NewReader(config); err == nil || r != nil {
				t.Errorf("NewReader(%+v) = %v, %v, want an error", config, r, err)
			}
		})
	}
}
