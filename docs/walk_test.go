package docs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
)

// The ports that the README names, and init's for operators.
var portsOfTheWalk = []string{"8443", "8080", "9193"}

const walkPatience = 2 * time.Minute

// What the README has a person type leads to a token that the key set verifies
// and that names the certificate made on the way.
func TestTheWayToTheFirstTokenInTheREADME(t *testing.T) {
	binary := envoytest.Binary(t)
	for _, tool := range []string{"bash", "openssl", "curl", "awk", "python3"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skipf("left out: there is no %s", tool)
		}
	}
	folder, bin := walkFolder(t, binary.Path)
	output := runScript(t, folder, walk(t), bin)
	for _, want := range []string{`{"token_type":"Bearer","access_token":"ey`, `{"active":true,`, `{"active":false}`, "authorization: Bearer ey", "HTTP/2 401", `"error":"invalid_client"`, "signature: valid", "allowed: allowed"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
	checkReceived(t, folder)
}

// walkFolder makes an empty folder, and in it one for PATH with certbearer and Envoy.
func walkFolder(t *testing.T, envoy string) (folder, bin string) {
	t.Helper()
	folder = t.TempDir()
	bin = filepath.Join(folder, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(certbearer(t), filepath.Join(bin, "certbearer")); err != nil {
		t.Fatal(err)
	}
	// Other tests may run an Envoy at the same time.
	shim := fmt.Sprintf("#!/bin/sh\nexec %q \"$@\" --disable-hot-restart --concurrency 1\n", envoy)
	if err := os.WriteFile(filepath.Join(bin, "envoy"), []byte(shim), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder, bin
}

// walk returns what the README has a person type, on ports that are free. The
// first block is about the checkout and not for a test.
func walk(t *testing.T) string {
	t.Helper()
	blocks := fenced(between(t, read(t, "README.md"), "<!-- walk -->", "<!-- /walk -->"), "sh")
	if len(blocks) < 8 || !strings.Contains(blocks[0], "make build") {
		t.Fatalf("%d blocks", len(blocks))
	}
	script := strings.Join(append(append(blocks[1:len(blocks)-1:len(blocks)-1], tokenWalk(t)...), blocks[len(blocks)-1]), "\n")
	return onFreePorts(t, script)
}

// onFreePorts moves a script from the ports that pages name to some that are free.
func onFreePorts(t *testing.T, script string) string {
	t.Helper()
	const initialise = "certbearer init try\n"
	if !strings.Contains(script, initialise) {
		t.Fatal("the page does not say how to begin")
	}
	free := freePorts(t, len(portsOfTheWalk))
	var pairs []string
	for i, port := range portsOfTheWalk {
		pairs = append(pairs, ":"+port, ":"+free[i], ", "+port+")", ", "+free[i]+")")
	}
	// init writes the port for operators itself, so it is changed in what it wrote.
	moved := fmt.Sprintf("certbearer init try --listen 127.0.0.1:8443 --upstream http://127.0.0.1:8080\n"+
		"sed s/:OPS/:%s/ try/certbearer.yaml > moved.yaml\nmv moved.yaml try/certbearer.yaml\n", free[2])
	script = strings.Replace(script, initialise, moved, 1)
	script = strings.NewReplacer(pairs...).Replace(script) // in one pass: none is replaced twice
	return strings.Replace(script, ":OPS", ":"+portsOfTheWalk[2], 1)
}

// tokenWalk returns what docs/token-endpoint.md has a person type in the same
// place, and asks about the token once more after it was revoked.
func tokenWalk(t *testing.T) []string {
	t.Helper()
	blocks := fenced(read(t, "docs/token-endpoint.md"), "sh")
	if len(blocks) != 4 || !strings.Contains(blocks[2], "/oauth2/introspect") || !strings.Contains(blocks[3], "/oauth2/revoke") {
		t.Fatalf("%d blocks, or in another order", len(blocks))
	}
	return append(blocks, blocks[2])
}

func freePorts(t *testing.T, count int) []string {
	t.Helper()
	var ports []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // all at the end, so that none is given twice
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

func runScript(t *testing.T, folder, script, bin string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), walkPatience)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n"+script)
	command.Dir = folder
	command.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = 10 * time.Second
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, output.String(), logsIn(folder))
	}
	return output.String()
}

func logsIn(folder string) string {
	var all strings.Builder
	for _, name := range []string{"certbearer.log", "envoy.log", "upstream.log"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			fmt.Fprintf(&all, "%s:\n%s\n", name, text)
		}
	}
	return all.String()
}

var received = regexp.MustCompile(`(?m)^authorization: Bearer (\S+)`)

func checkReceived(t *testing.T, folder string) {
	t.Helper()
	file := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	found := received.FindSubmatch(file("received.txt"))
	if found == nil {
		t.Fatal("the service received no token")
	}
	token, err := jwt.ParseSigned(string(found[1]), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(file("jwks.json"), &keys); err != nil {
		t.Fatal(err)
	}
	var claims struct {
		ClientID     string            `json:"client_id"`
		Confirmation map[string]string `json:"cnf"`
	}
	if err := token.Claims(&keys, &claims); err != nil {
		t.Fatalf("the key set does not verify the token: %v", err)
	}
	block, _ := pem.Decode(file("client.crt"))
	if block == nil {
		t.Fatal("client.crt is no PEM")
	}
	sum := sha256.Sum256(block.Bytes)
	if want := base64.RawURLEncoding.EncodeToString(sum[:]); claims.Confirmation["x5t#S256"] != want {
		t.Errorf("cnf is %v, the certificate's thumbprint %s", claims.Confirmation, want)
	}
	if claims.ClientID != "my-client" {
		t.Errorf("the token is for %q", claims.ClientID)
	}
}

func TestTheREADMENamesTheEnvoyThatIsFetched(t *testing.T) {
	if want := ".tools/envoy-" + run.Default + ":"; !strings.Contains(read(t, "README.md"), want) {
		t.Errorf("the README does not name %s", want)
	}
}
