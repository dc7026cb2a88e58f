package containers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// stack is envoy/compose.yaml, running.
type stack struct {
	folder, port string
	known, other *tls.Certificate
	roots        *x509.CertPool
}

// waitFor bounds what takes a moment after the containers were started.
const waitFor = 30 * time.Second

func TestComposeAsItStands(t *testing.T) {
	wanted(t)
	makeImages(t)
	s := newStack(t)
	s.up(t)
	s.eventually(t, "the stack answers", func() bool {
		status, _, err := s.get("/hello", s.known, nil)
		return err == nil && status == http.StatusOK
	})
	t.Run("a known certificate becomes a token", s.injects)
	t.Run("nobody else gets in", s.refuses)
	t.Run("the token endpoint gives a token that counts", s.givesTokens)
	t.Run("no container can do what it need not", s.confined)
	t.Run("its own health check says it is ready", s.ready)
	t.Run("without certbearer it is a 503", s.failsClosed)
}

// newStack is what docs/containers.md has a user make: a folder by init.
func newStack(t *testing.T) *stack {
	t.Helper()
	folder := t.TempDir()
	s := &stack{folder: filepath.Join(folder, "site"), port: freePort(t), roots: x509.NewCertPool()}
	command(t, nil, filepath.Join("dist", "linux-"+arch(), "certbearer"), "init", s.folder)
	pki := filepath.Join(s.folder, "pki")
	known, err := tls.LoadX509KeyPair(filepath.Join(pki, "client.crt"), filepath.Join(pki, "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := os.ReadFile(filepath.Join(pki, "server.crt"))
	if err != nil || !s.roots.AppendCertsFromPEM(server) {
		t.Fatal("no server.crt", err)
	}
	stranger, err := testca.SelfSigned(testca.Template{CommonName: "My Integration Client"})
	if err != nil {
		t.Fatal(err)
	}
	other := stranger.TLSCertificate()
	s.known, s.other = &known, &other
	if os.Geteuid() == 0 {
		if err := os.Chown(filepath.Join(pki, "server.key"), envoyUser, -1); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// envoyUser is that of Envoy's image.
const envoyUser = 65533

func (s *stack) env() []string {
	env := []string{"SITE=" + s.folder, "PORT=" + s.port, "TAG=" + tag}
	if os.Geteuid() != 0 {
		env = append(env, "ENVOY_USER="+strconv.Itoa(os.Geteuid()))
	}
	return env
}

func (s *stack) up(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { s.compose(t, "down", "--volumes") })
	s.compose(t, "up", "--detach")
}

// compose runs docker compose, or podman-compose where the engine is podman.
func (s *stack) compose(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // it is run at the end too
	defer cancel()
	program := []string{engine.Program, "compose"}
	var env []string
	if engine.Podman {
		program, env = podmanCompose(t)
	}
	program = append(append(program, "--file", "envoy/compose.yaml", "--project-name", project), args...)
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Dir, cmd.Env = root, append(append(append(os.Environ(), engine.Env...), env...), s.env()...)
	if printed, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(program, " "), err, printed)
	}
}

// project keeps a user's own stack apart.
const project = "certbearer-test"

// get asks through Envoy, with a connection of its own.
func (s *stack) get(path string, as *tls.Certificate, header http.Header) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://localhost:"+s.port+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Header = header
	return s.do(request, as)
}

func (s *stack) do(request *http.Request, as *tls.Certificate) (status int, body string, err error) {
	config := &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if as != nil {
		config.Certificates = []tls.Certificate{*as}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: waitFor}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(text), err
}

// echoed is what the service behind Envoy received.
type echoed struct {
	Path    string      `json:"path"`
	Headers http.Header `json:"headers"`
}

func (s *stack) injects(t *testing.T) {
	status, body, err := s.get("/hello", s.known, http.Header{"X-Client-Cert": {"forged"}, "X-Forwarded-Client-Cert": {"forged"}})
	var got echoed
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("status %d, %q: %v", status, body, err)
	}
	authorization := got.Headers["Authorization"]
	if err != nil || status != http.StatusOK || len(authorization) != 1 || !strings.HasPrefix(authorization[0], "Bearer ey") {
		t.Errorf("status %d, Authorization %q (%v)", status, authorization, err)
	}
	if got.Headers["X-Client-Cert"] != nil || got.Headers["X-Forwarded-Client-Cert"] != nil {
		t.Errorf("a caller's own header reached the service: %v", got.Headers)
	}
}

func (s *stack) refuses(t *testing.T) {
	for sentence, as := range map[string]*tls.Certificate{"a stranger": s.other, "nobody": nil} {
		status, body, err := s.get("/hello", as, http.Header{"X-Client-Cert": {"forged"}})
		if err != nil || status != http.StatusUnauthorized || !strings.Contains(body, "invalid_client") {
			t.Errorf("%s: status %d, %s (%v)", sentence, status, body, err)
		}
	}
}

func (s *stack) givesTokens(t *testing.T) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"example"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://localhost:"+s.port+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, err := s.do(request, s.known)
	var granted struct {
		Token string `json:"access_token"`
	}
	if err != nil || status != http.StatusOK || json.Unmarshal([]byte(body), &granted) != nil || granted.Token == "" {
		t.Fatalf("no token: status %d (%v)", status, err)
	}
	for _, c := range []struct {
		as     *tls.Certificate
		status int
	}{{s.known, http.StatusOK}, {nil, http.StatusUnauthorized}} {
		status, _, err := s.get("/hello", c.as, http.Header{"Authorization": {"Bearer " + granted.Token}})
		if err != nil || status != c.status {
			t.Errorf("the token with its certificate %t: status %d, want %d (%v)", c.as != nil, status, c.status, err)
		}
	}
}

// confined: what compose.yaml asks for is what the containers have.
func (s *stack) confined(t *testing.T) {
	users := map[string]string{"certbearer": "65532:65532", "envoy": "65533:65532", "echo": "65534:65534"}
	if os.Geteuid() != 0 {
		users["envoy"] = strconv.Itoa(os.Geteuid()) + ":65532"
	}
	for service, user := range users {
		var all []struct {
			Config     struct{ User string }
			HostConfig struct {
				ReadonlyRootfs bool
				Privileged     bool
				CapDrop        []string
				SecurityOpt    []string
				NetworkMode    string
			}
			EffectiveCaps []string
		}
		if err := json.Unmarshal([]byte(asked(t, "container", "inspect", s.container(t, service))), &all); err != nil {
			t.Fatal(err)
		}
		c := all[0]
		if c.Config.User != user || !c.HostConfig.ReadonlyRootfs || c.HostConfig.Privileged || len(c.HostConfig.CapDrop) == 0 ||
			len(c.EffectiveCaps) > 0 || !strings.Contains(strings.Join(c.HostConfig.SecurityOpt, " "), "no-new-privileges") {
			t.Errorf("%s has %+v", service, c)
		}
		if none := c.HostConfig.NetworkMode == "none"; none != (service == "certbearer") {
			t.Errorf("%s has the network %s", service, c.HostConfig.NetworkMode)
		}
	}
}

// container is the name of a service's container.
func (s *stack) container(t *testing.T, service string) string {
	t.Helper()
	for name := range strings.Lines(asked(t, "ps", "--all", "--format", "{{.Names}}")) {
		name = strings.TrimSpace(name)
		if strings.ReplaceAll(name, "_", "-") == project+"-"+service+"-1" {
			return name
		}
	}
	t.Fatalf("there is no container of %s", service)
	return ""
}

func (s *stack) ready(t *testing.T) {
	s.eventually(t, "certbearer is ready", func() bool {
		_, err := engine.Run(t.Context(), "exec", s.container(t, "certbearer"), "/usr/local/bin/certbearer", "ready")
		return err == nil
	})
	if engine.Podman { // docker runs it by itself
		asked(t, "healthcheck", "run", s.container(t, "certbearer"))
	}
}

func (s *stack) failsClosed(t *testing.T) {
	name := s.container(t, "certbearer")
	asked(t, "stop", "--time", "20", name)
	if code := asked(t, "container", "inspect", "--format", "{{.State.ExitCode}}", name); code != "0" {
		t.Errorf("certbearer ended with %s", code)
	}
	if status, _, err := s.get("/hello", s.known, nil); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("status %d (%v)", status, err)
	}
	asked(t, "start", name)
	s.eventually(t, "certbearer is back, with its keys", func() bool {
		status, _, err := s.get("/hello", s.known, nil)
		return err == nil && status == http.StatusOK
	})
}

func (s *stack) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !holds(); <-tick.C {
		if time.Since(began) > waitFor {
			t.Fatalf("after %v still not so: %s\n%s\n%s", waitFor, what, s.logs("certbearer"), s.logs("envoy"))
		}
	}
}

func (s *stack) logs(service string) string {
	for _, between := range []string{"_", "-"} {
		if out, err := engine.Command(context.Background(), "logs", project+between+service+between+"1").CombinedOutput(); err == nil {
			return service + ":\n" + string(out)
		}
	}
	return service + ": no log"
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// What compose.yaml names is what `make images` makes.
func TestComposeNamesTheImages(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "envoy", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image      string `yaml:"image"`
			PullPolicy string `yaml:"pull_policy"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for service, image := range map[string]string{"certbearer": "certbearer", "envoy": "certbearer-envoy", "echo": "certbearer-echo"} {
		if got := file.Services[service]; got.Image != image+":${TAG:-dev}" || got.PullPolicy != "never" {
			t.Errorf("%s is %+v", service, got)
		}
	}
}
