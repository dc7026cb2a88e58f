package peercert_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

const endpoint = "https://gateway.example/oauth2/token"

var (
	stated    = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	current   = peercert.StatementKey{ID: "current", Secret: bytes.Repeat([]byte{1}, 32)}
	previous  = peercert.StatementKey{ID: "previous", Secret: bytes.Repeat([]byte{2}, 32)}
	forgotten = peercert.StatementKey{ID: "forgotten", Secret: bytes.Repeat([]byte{3}, 32)}
)

// statementTerms know the current key and its predecessor.
func statementTerms() *peercert.StatementTerms {
	return &peercert.StatementTerms{
		Key: func(id string) ([]byte, bool) {
			for _, key := range []peercert.StatementKey{current, previous} {
				if key.ID == id {
					return key.Secret, true
				}
			}
			return nil, id == "empty"
		},
		Endpoint: endpoint, Method: "POST", At: stated,
	}
}

func evidenceOf(leaf *testca.Issued, chain ...*testca.Issued) peercert.Evidence {
	evidence := peercert.Evidence{Leaf: leaf.Certificate, Thumbprint: leaf.Thumbprint()}
	for _, issued := range chain {
		evidence.Intermediates = append(evidence.Intermediates, issued.Certificate)
	}
	return evidence
}

func sign(t testing.TB, key peercert.StatementKey, evidence peercert.Evidence) string {
	t.Helper()
	text, err := peercert.SignStatement(key, evidence, endpoint, "POST", stated)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// readStatement reads header values as they arrive.
func readStatement(t testing.TB, terms *peercert.StatementTerms, values ...string) (peercert.Evidence, error) {
	t.Helper()
	reader := newReader(t, peercert.Statement, 0)
	return reader.Read(peercert.Presented{
		Statement: terms,
		Header: func(name string) []string {
			if name != peercert.StatementHeader {
				return nil
			}
			return values
		},
	}, new(decision.Trace))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs whatever it is given.
func forge(key peercert.StatementKey, header, payload string) string {
	input := encode(header) + "." + encode(payload)
	mac := hmac.New(sha256.New, key.Secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func statementHeader(key peercert.StatementKey) string {
	return `{"alg":"HS256","kid":"` + key.ID + `","typ":"certbearer-cert+jwt"}`
}

// payloadOf is a payload as SignStatement writes it, with one change.
func payloadOf(t testing.TB, change map[string]any, chain ...string) string {
	t.Helper()
	payload := map[string]any{
		"iss": "certbearer", "aud": endpoint, "htm": "POST", "iat": stated.Unix(), "exp": stated.Unix() + 10, "x5c": chain,
	}
	for name, value := range change {
		payload[name] = value
	}
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAStatementTellsTheCertificatesThatWereProven(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for sentence, key := range map[string]peercert.StatementKey{"with the key of now": current, "with its predecessor": previous} {
		t.Run(sentence, func(t *testing.T) {
			got, err := readStatement(t, statementTerms(), sign(t, key, evidenceOf(p.leaf, p.near, p.far)))
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf.Equal(p.leaf.Certificate) || got.Thumbprint != p.leaf.Thumbprint() || len(got.Intermediates) != 2 ||
				!got.Intermediates[0].Equal(p.near.Certificate) || !got.Intermediates[1].Equal(p.far.Certificate) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAStatementIsReadForOneRequestOnly(t *testing.T) {
	text := sign(t, current, evidenceOf(selfSigned(t, testca.Template{CommonName: "lab"})))
	for sentence, test := range map[string]struct {
		change func(*peercert.StatementTerms)
		reason decision.Reason // Allowed: read
	}{
		"this one":                      {func(*peercert.StatementTerms) {}, decision.Allowed},
		"another endpoint":              {func(terms *peercert.StatementTerms) { terms.Endpoint = "https://gateway.example/oauth2/revoke" }, decision.StatementInvalid},
		"another gateway's":             {func(terms *peercert.StatementTerms) { terms.Endpoint = "https://other.example/oauth2/token" }, decision.StatementInvalid},
		"a longer path":                 {func(terms *peercert.StatementTerms) { terms.Endpoint += "/" }, decision.StatementInvalid},
		"no endpoint":                   {func(terms *peercert.StatementTerms) { terms.Endpoint = "" }, decision.StatementInvalid},
		"another method":                {func(terms *peercert.StatementTerms) { terms.Method = "GET" }, decision.StatementInvalid},
		"a method of another case":      {func(terms *peercert.StatementTerms) { terms.Method = "post" }, decision.StatementInvalid},
		"a clock that is 5 s behind":    {func(terms *peercert.StatementTerms) { terms.At = stated.Add(-5 * time.Second) }, decision.Allowed},
		"a clock that is 6 s behind":    {func(terms *peercert.StatementTerms) { terms.At = stated.Add(-6 * time.Second) }, decision.StatementInvalid},
		"its last second, and the skew": {func(terms *peercert.StatementTerms) { terms.At = stated.Add(15 * time.Second) }, decision.Allowed},
		"a second after that":           {func(terms *peercert.StatementTerms) { terms.At = stated.Add(16 * time.Second) }, decision.StatementInvalid},
		"an hour after":                 {func(terms *peercert.StatementTerms) { terms.At = stated.Add(time.Hour) }, decision.StatementInvalid},
		"no terms":                      {func(terms *peercert.StatementTerms) { *terms = peercert.StatementTerms{} }, decision.InternalError},
		"a server that has no keys":     {func(terms *peercert.StatementTerms) { terms.Key = func(string) ([]byte, bool) { return nil, false } }, decision.StatementInvalid},
		"a server whose keys are empty": {func(terms *peercert.StatementTerms) { terms.Key = func(string) ([]byte, bool) { return nil, true } }, decision.StatementInvalid},
		"a server with another secret": {func(terms *peercert.StatementTerms) {
			terms.Key = func(string) ([]byte, bool) { return previous.Secret, true }
		}, decision.StatementInvalid},
		"the same request a moment later": {func(terms *peercert.StatementTerms) { terms.At = stated.Add(time.Second) }, decision.Allowed},
	} {
		t.Run(sentence, func(t *testing.T) {
			terms := statementTerms()
			test.change(terms)
			wantStatement(t, terms, test.reason, text)
		})
	}
}

func wantStatement(t *testing.T, terms *peercert.StatementTerms, want decision.Reason, values ...string) {
	t.Helper()
	got, err := readStatement(t, terms, values...)
	if want == decision.Allowed {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil || decision.ReasonOf(err) != want {
		t.Errorf("want %s, got %v", want, err)
	}
	if got.Leaf != nil || got.Thumbprint != [32]byte{} {
		t.Error("evidence beside an error")
	}
	for _, value := range values {
		if err != nil && len(value) > 30 && strings.Contains(err.Error(), value[len(value)-30:]) {
			t.Errorf("the error quotes the statement: %v", err)
		}
	}
}

func TestAHeaderThatIsNoStatementIsRefused(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	der := base64.StdEncoding.EncodeToString(leaf.Certificate.Raw)
	good := sign(t, current, evidenceOf(leaf))
	head, rest, _ := strings.Cut(good, ".")
	payload, mac, _ := strings.Cut(rest, ".")
	header := statementHeader(current)
	chain := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = der
		}
		return forge(current, header, payloadOf(t, nil, all...))
	}
	claim := func(name string, value any) string {
		return forge(current, header, payloadOf(t, map[string]any{name: value}, der))
	}
	at := stated.Unix()
	for sentence, test := range map[string]struct {
		values []string
		reason decision.Reason // Allowed: read
	}{
		"a statement as it is signed":           {[]string{forge(current, header, payloadOf(t, nil, der))}, decision.Allowed},
		"none":                                  {nil, decision.CertificateMissing},
		"two, of which each is good":            {[]string{good, good}, decision.StatementInvalid},
		"two in one value":                      {[]string{good + "," + good}, decision.StatementInvalid},
		"an empty one":                          {[]string{""}, decision.StatementInvalid},
		"dots":                                  {[]string{".."}, decision.StatementInvalid},
		"two parts":                             {[]string{head + "." + payload}, decision.StatementInvalid},
		"four parts":                            {[]string{good + "." + mac}, decision.StatementInvalid},
		"no signature":                          {[]string{head + "." + payload + "."}, decision.StatementInvalid},
		"a signature with padding":              {[]string{good + "="}, decision.StatementInvalid},
		"a part of the signature":               {[]string{good[:len(good)-4]}, decision.StatementInvalid},
		"a signature with more":                 {[]string{good + "AAAA"}, decision.StatementInvalid},
		"another payload":                       {[]string{head + "." + encode(payloadOf(t, map[string]any{"htm": "GET"}, der)) + "." + mac}, decision.StatementInvalid},
		"another header":                        {[]string{encode(header+" ") + "." + payload + "." + mac}, decision.StatementInvalid},
		"a key that is unknown":                 {[]string{sign(t, forgotten, evidenceOf(leaf))}, decision.StatementInvalid},
		"a known name of an unknown key":        {[]string{sign(t, peercert.StatementKey{ID: current.ID, Secret: forgotten.Secret}, evidenceOf(leaf))}, decision.StatementInvalid},
		"the name of the other key":             {[]string{sign(t, peercert.StatementKey{ID: previous.ID, Secret: current.Secret}, evidenceOf(leaf))}, decision.StatementInvalid},
		"a key without a secret":                {[]string{sign(t, peercert.StatementKey{ID: "empty"}, evidenceOf(leaf))}, decision.StatementInvalid},
		"a header that is no JSON":              {[]string{forge(current, "x", payloadOf(t, nil, der))}, decision.StatementInvalid},
		"a header that is no base64":            {[]string{"*." + payload + "." + mac}, decision.StatementInvalid},
		"the algorithm none":                    {[]string{encode(`{"alg":"none","kid":"current","typ":"certbearer-cert+jwt"}`) + "." + payload + "."}, decision.StatementInvalid},
		"the algorithm none with a signature":   {[]string{forge(current, `{"alg":"none","kid":"current","typ":"certbearer-cert+jwt"}`, payloadOf(t, nil, der))}, decision.StatementInvalid},
		"another algorithm":                     {[]string{forge(current, `{"alg":"HS512","kid":"current","typ":"certbearer-cert+jwt"}`, payloadOf(t, nil, der))}, decision.StatementInvalid},
		"another type":                          {[]string{forge(current, `{"alg":"HS256","kid":"current","typ":"at+jwt"}`, payloadOf(t, nil, der))}, decision.StatementInvalid},
		"no type":                               {[]string{forge(current, `{"alg":"HS256","kid":"current"}`, payloadOf(t, nil, der))}, decision.StatementInvalid},
		"one more member in the header":         {[]string{forge(current, `{"alg":"HS256","kid":"current","typ":"certbearer-cert+jwt","crit":[]}`, payloadOf(t, nil, der))}, decision.StatementInvalid},
		"the header's members in another order": {[]string{forge(current, `{"kid":"current","alg":"HS256","typ":"certbearer-cert+jwt"}`, payloadOf(t, nil, der))}, decision.StatementInvalid},
		"a payload that is no JSON":             {[]string{forge(current, header, "x")}, decision.StatementInvalid},
		"an empty payload":                      {[]string{forge(current, header, "{}")}, decision.StatementInvalid},
		"another issuer":                        {[]string{claim("iss", "https://gateway.example")}, decision.StatementInvalid},
		"a list of endpoints":                   {[]string{claim("aud", []string{endpoint})}, decision.StatementInvalid},
		"a life of more than 10 s":              {[]string{claim("exp", at+11)}, decision.StatementInvalid},
		"a life of less":                        {[]string{claim("exp", at+9)}, decision.StatementInvalid},
		"a life that goes backwards":            {[]string{claim("exp", at-1)}, decision.StatementInvalid},
		"times that overflow":                   {[]string{forge(current, header, payloadOf(t, map[string]any{"iat": int64(-1 << 63), "exp": int64(-1<<63 + 10)}, der))}, decision.StatementInvalid},
		"a time with a fraction":                {[]string{claim("iat", 1.5)}, decision.StatementInvalid},
		"no certificate":                        {[]string{chain(0)}, decision.StatementInvalid},
		"as many certificates as are read":      {[]string{chain(peercert.MaxCertificates)}, decision.Allowed},
		"one more":                              {[]string{chain(peercert.MaxCertificates + 1)}, decision.StatementInvalid},
		"a certificate that is no base64":       {[]string{forge(current, header, payloadOf(t, nil, "*"))}, decision.StatementInvalid},
		"a certificate in base64url":            {[]string{forge(current, header, payloadOf(t, nil, "-_-_"))}, decision.StatementInvalid},
		"a certificate that is no DER":          {[]string{forge(current, header, payloadOf(t, nil, "AAAA"))}, decision.CertificateMalformed},
		"an intermediate that is no DER":        {[]string{forge(current, header, payloadOf(t, nil, der, "AAAA"))}, decision.CertificateMalformed},
		"a certificate and bytes behind it":     {[]string{forge(current, header, payloadOf(t, nil, base64.StdEncoding.EncodeToString(append(bytes.Clone(leaf.Certificate.Raw), 0))))}, decision.CertificateMalformed},
		"an empty certificate":                  {[]string{forge(current, header, payloadOf(t, nil, ""))}, decision.CertificateMalformed},
		"a header of more than is read":         {[]string{good + strings.Repeat("A", peercert.MaxStatementBytes)}, decision.EvidenceTooLarge},
		"x-forwarded-client-cert in its place":  {[]string{about(leaf).String()}, decision.StatementInvalid},
	} {
		t.Run(sentence, func(t *testing.T) { wantStatement(t, statementTerms(), test.reason, test.values...) })
	}
}

func TestAReaderOfStatementsLooksAtNothingElse(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	_, err := newReader(t, peercert.Statement, 0).Read(peercert.Presented{
		PeerCertificate: []byte(leaf.URLEncodedPEM()),
		TLSChain:        []*x509.Certificate{leaf.Certificate},
		Statement:       statementTerms(),
		Header: func(name string) []string {
			if name == "x-forwarded-client-cert" {
				return []string{about(leaf).String()}
			}
			return nil
		},
	}, nil)
	if err == nil || decision.ReasonOf(err) != decision.CertificateMissing {
		t.Errorf("%v", err)
	}
}

func TestEvidenceThatIsTooLargeForAHeaderIsNotStated(t *testing.T) {
	big := testca.Template{CommonName: "big", CA: true}
	for i := range 200 {
		big.DNSNames = append(big.DNSNames, fmt.Sprintf("a-name-that-takes-some-room-%d.example", i))
	}
	leaf := selfSigned(t, big)
	text, err := peercert.SignStatement(current, evidenceOf(leaf, selfSigned(t, big)), endpoint, "POST", stated)
	if text != "" || err == nil || decision.ReasonOf(err) != decision.EvidenceTooLarge {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if text, err := peercert.SignStatement(current, evidenceOf(leaf), endpoint, "POST", stated); err != nil || len(text) > peercert.MaxStatementBytes {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestAStatementKeyPrintsAsItsName(t *testing.T) {
	key := peercert.StatementKey{ID: "name", Secret: []byte("hidden")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, key); got != "statement key name" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func TestWhatAHandshakeProvedIsRead(t *testing.T) {
	p := newPKI(t, testca.Template{})
	huge := testca.Template{CommonName: "huge"}
	for i := range 2500 {
		huge.DNSNames = append(huge.DNSNames, fmt.Sprintf("a-name-that-takes-some-room-%d.example", i))
	}
	var many []*x509.Certificate
	for i := range peercert.MaxCertificates + 1 {
		many = append(many, selfSigned(t, testca.Template{CommonName: fmt.Sprint(i)}).Certificate)
	}
	again := slices.Repeat([]*x509.Certificate{p.leaf.Certificate}, peercert.MaxCertificates+1)
	for sentence, test := range map[string]struct {
		chain         []*x509.Certificate
		reason        decision.Reason // Allowed: read
		intermediates int
	}{
		"nothing":                       {nil, decision.CertificateMissing, 0},
		"a certificate":                 {[]*x509.Certificate{p.leaf.Certificate}, decision.Allowed, 0},
		"a chain":                       {[]*x509.Certificate{p.leaf.Certificate, p.near.Certificate, p.far.Certificate}, decision.Allowed, 2},
		"a chain that repeats":          {[]*x509.Certificate{p.leaf.Certificate, p.leaf.Certificate, p.near.Certificate, p.near.Certificate}, decision.Allowed, 1},
		"as many as are read":           {many[:peercert.MaxCertificates], decision.Allowed, peercert.MaxCertificates - 1},
		"one more":                      {many, decision.EvidenceTooManyCertificates, 0},
		"one more, though all the same": {again, decision.EvidenceTooManyCertificates, 0},
		"more bytes than are read":      {[]*x509.Certificate{selfSigned(t, huge).Certificate}, decision.EvidenceTooLarge, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := newReader(t, peercert.TLS, 0).Read(peercert.Presented{TLSChain: test.chain}, new(decision.Trace))
			if test.reason != decision.Allowed {
				if err == nil || decision.ReasonOf(err) != test.reason || got.Leaf != nil {
					t.Errorf("want %s, got %v", test.reason, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf.Equal(test.chain[0]) || got.Thumbprint != sha256.Sum256(test.chain[0].Raw) || len(got.Intermediates) != test.intermediates {
				t.Errorf("%d intermediates", len(got.Intermediates))
			}
		})
	}
}

func TestAReaderOfHandshakesLooksAtNoHeader(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	_, err := newReader(t, peercert.TLS, 0).Read(peercert.Presented{
		PeerCertificate: []byte(leaf.URLEncodedPEM()),
		Statement:       statementTerms(),
		Header:          func(string) []string { return []string{sign(t, current, evidenceOf(leaf))} },
	}, nil)
	if err == nil || decision.ReasonOf(err) != decision.CertificateMissing {
		t.Errorf("%v", err)
	}
}

// FuzzStatement signs whatever header and payload it is given, and reads the text
// as well as it stands, which nobody has signed.
func FuzzStatement(f *testing.F) {
	leaf := selfSigned(f, testca.Template{CommonName: "lab"})
	der := base64.StdEncoding.EncodeToString(leaf.Certificate.Raw)
	good := statementHeader(current)
	f.Add(good, payloadOf(f, nil, der))
	f.Add(good, payloadOf(f, nil))
	f.Add(good, payloadOf(f, nil, der, der, "AAAA"))
	f.Add(good, "null")
	f.Add(good, `{"x5c":null}`)
	f.Add(statementHeader(previous), payloadOf(f, map[string]any{"exp": -1}, der))
	f.Add(`{"alg":"none"}`, "{}")
	f.Add("", "..")
	f.Fuzz(func(t *testing.T, header, payload string) {
		if got, err := readStatement(t, statementTerms(), header+payload); err == nil {
			t.Errorf("nobody signed %q, and it is read as %+v", header+payload, got)
		}
		got, err := readStatement(t, statementTerms(), forge(current, header, payload))
		if err != nil {
			wantOrderly(t, got, err)
			return
		}
		if header != statementHeader(current) {
			t.Errorf("read with the header %q", header)
		}
		if got.Thumbprint != sha256.Sum256(got.Leaf.Raw) {
			t.Error("the thumbprint is not that of the certificate")
		}
	})
}
