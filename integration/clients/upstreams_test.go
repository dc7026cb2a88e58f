package clients_test

import (
	"context"
	"crypto"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// The tokens of which verifiers are asked, by the route that they are from.
const (
	byDefault = "/hello"
	typed     = "/typed"
	unbound   = "/unbound"
)

// injectedTokens are those that the upstream gets.
func (w *world) injectedTokens(t *testing.T) map[string]string {
	t.Helper()
	tokens := make(map[string]string)
	for _, path := range []string{byDefault, typed, unbound} {
		n := len(w.upstream.since(0))
		if status, body := w.get(t, w.mine, w.Gateway()+path); status != http.StatusOK {
			t.Fatalf("%s is a %d: %s", path, status, body)
		}
		tokens[path] = w.verified(t, w.upstream.since(n)[0]).Text
	}
	return tokens
}

// verdicts runs a verifier once for all tokens, and checks what it says of each:
// the client, or a part of why not.
func verdicts(t *testing.T, command *exec.Cmd, tokens, want map[string]string) {
	t.Helper()
	var names, lines []string
	for name, token := range tokens {
		names, lines = append(names, name), append(lines, token)
	}
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	printed, err := command.CombinedOutput()
	said := strings.Split(strings.TrimSpace(string(printed)), "\n")
	if err != nil || len(said) != len(names) {
		t.Fatalf("%v\n%s", err, printed)
	}
	for i, name := range names {
		if expected, exists := want[name]; !exists || !strings.Contains(said[i], expected) {
			t.Errorf("of %s it says %q, want %q", name, said[i], expected)
		}
	}
}

const accepted = "accepted: " + clientID

// command runs in a folder, for programPatience, with the variables.
func command(t *testing.T, folder string, variables []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programPatience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = folder
	c.Env = append(variables, "PATH="+os.Getenv("PATH"), "HOME="+folder)
	return c
}

// goVerifier compiles the snippet for Go and returns its folder.
func goVerifier(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, from := range []string{"testdata/go", "testdata/goupstream"} {
		if err := os.CopyFS(folder, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(folder, "verifier.go"), snippet(t, pageOfUpstreams, "go-upstream"))
	buildGo(t, folder)
	return folder
}

func TestTheGoSnippetOfTheUpstreamsPageVerifiesInjectedTokens(t *testing.T) {
	realEnvoy(t)
	folder := goVerifier(t)
	w := open(t, plan{})
	tokens := w.injectedTokens(t)
	verifier := func(issuer, audience string) *exec.Cmd {
		return command(t, folder, []string{
			"ISSUER=" + issuer, "AUDIENCE=" + audience, "JWKS_URI=" + w.Issuer() + "/.well-known/jwks.json", "SSL_CERT_FILE=" + w.path("pki/server.crt"),
		}, "./program")
	}
	wrongType := "refused: typ is JWT"
	verdicts(t, verifier(w.Issuer(), audience), tokens, map[string]string{byDefault: accepted, typed: wrongType, unbound: wrongType})
	verdicts(t, verifier(w.Issuer()+"/", audience), tokens, map[string]string{
		byDefault: "refused: oidc: id token issued by a different provider", typed: wrongType, unbound: wrongType,
	})
	verdicts(t, verifier(w.Issuer(), "https://elsewhere.example"), tokens, map[string]string{
		byDefault: "refused: oidc: expected audience", typed: wrongType, unbound: wrongType,
	})
}

// These are signed by a key of the test's, which is published as certbearer does.
func TestTheGoSnippetOfTheUpstreamsPageRefusesWhatIsWrongInOneThing(t *testing.T) {
	folder := goVerifier(t)
	key, other := newKey(t), newKey(t)
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256"}}})
	}))
	t.Cleanup(published.Close)
	const issuer = "https://gateway.example"
	claims := func(name string, value any) map[string]any {
		all := map[string]any{
			"iss": issuer, "aud": audience, "sub": clientID, "client_id": clientID, "token_use": "injected",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		all[name] = value
		return all
	}
	tokens := map[string]string{
		"a good one":                 signed(t, key, "at+jwt", claims("scope", "")),
		"one of another key":         signed(t, other, "at+jwt", claims("scope", "")),
		"one of another type":        signed(t, key, "JWT", claims("scope", "")),
		"one of another issuer":      signed(t, key, "at+jwt", claims("iss", "https://other.example")),
		"one of another audience":    signed(t, key, "at+jwt", claims("aud", "https://elsewhere.example")),
		"one that has expired":       signed(t, key, "at+jwt", claims("exp", time.Now().Add(-time.Second).Unix())),
		"one of the token endpoint":  signed(t, key, "at+jwt", claims("token_use", "access")),
		"one that nobody signed":     "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
		"one that is of nobody":      signed(t, key, "at+jwt", claims("client_id", "")),
		"something that is no token": "x",
	}
	want := make(map[string]string)
	for name := range tokens {
		want[name] = "refused: "
	}
	want["a good one"] = accepted
	want["one that has expired"] = "refused: oidc: token is expired"
	verdicts(t, command(t, folder, []string{"ISSUER=" + issuer, "AUDIENCE=" + audience, "JWKS_URI=" + published.URL}, "./program"), tokens, want)
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := testca.NewKey(testca.P256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, key crypto.Signer, typ jose.ContentType, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(typ).WithHeader("kid", "k")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The defaults of Spring Security are why inject.typ and inject.bind exist.
func TestTheSpringSnippetOfTheUpstreamsPageVerifiesInjectedTokens(t *testing.T) {
	realEnvoy(t)
	jars := filepath.Join(fromMaven.installed(t), "lib", "*")
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "Decoders.java"), snippet(t, pageOfUpstreams, "spring"))
	writeFile(t, filepath.Join(folder, "Main.java"), readFile(t, "testdata/java/Main.java"))
	output(t, command(t, folder, nil, "javac", "-cp", jars, "Decoders.java", "Main.java"))
	for where, p := range map[string]plan{"with one host": {}, "with two hosts": {TwoHosts: true}} {
		t.Run(where, func(t *testing.T) {
			w := open(t, p)
			trusted := filepath.Join(t.TempDir(), "trusted.p12")
			output(t, command(t, folder, nil, "keytool", "-importcert", "-noprompt", "-alias", "envoy", "-file", w.path("pki/server.crt"),
				"-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit"))
			decoder := func(name, audience string) *exec.Cmd {
				return command(t, folder, []string{"ISSUER=" + w.Issuer(), "AUDIENCE=" + audience}, "java", "-cp", jars+":.",
					"-Djavax.net.ssl.trustStore="+trusted, "-Djavax.net.ssl.trustStorePassword=changeit", "Main", name)
			}
			tokens := w.injectedTokens(t)
			last := len(tokens[unbound]) - 10
			tokens["tampered"] = tokens[unbound][:last] + strings.Repeat("A", 10)
			wrongType := "the given typ value needs to be one of [at+jwt"
			verdicts(t, decoder("byDefault", audience), tokens, map[string]string{
				byDefault: "JOSE header typ (type) at+jwt not allowed", typed: "Unable to obtain X509Certificate from current request",
				unbound: accepted, "tampered": "Invalid signature",
			})
			if p.TwoHosts {
				return // what differs is where metadata is found
			}
			verdicts(t, decoder("byDefault", "https://elsewhere.example"), tokens, map[string]string{
				byDefault: "refused: ", typed: "refused: ", unbound: "The aud claim is not valid", "tampered": "Invalid signature",
			})
			verdicts(t, decoder("accessTokens", audience), tokens, map[string]string{
				byDefault: accepted, typed: wrongType, unbound: wrongType, "tampered": "Invalid signature",
			})
			verdicts(t, decoder("accessTokens", "https://elsewhere.example"), tokens, map[string]string{
				byDefault: "The aud claim is not valid", typed: "refused: ", unbound: "refused: ", "tampered": "Invalid signature",
			})
		})
	}
}

func output(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if printed, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", c.Args[0], err, printed)
	}
}
