package integration_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// albBlock is a block of docs/alb.md, which the tests run as it stands, with the
// subnets of the page made this machine.
func albBlock(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "alb.md"))
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile("(?s)<!-- alb " + name + " -->\n```yaml\n(.*?)```")
	found := pattern.FindSubmatch(page)
	if found == nil {
		t.Fatalf("the page has no block %s", name)
	}
	return strings.NewReplacer(
		"[10.0.1.0/24, 10.0.2.0/24]", "[127.0.0.1]",
		"address_prefix: 10.0.1.0, prefix_len: 24", "address_prefix: 127.0.0.1, prefix_len: 32",
		"0.0.0.0:9080", "127.0.0.1:0",
	).Replace(string(found[1]))
}

// albHeader is PEM as an ALB encodes it: everything that a URL does not take, but
// for "+", "/" and "=".
func albHeader(chain ...*testca.Issued) string {
	var pem strings.Builder
	for _, issued := range chain {
		pem.Write(issued.PEM())
	}
	return strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=", "+", "%20").Replace(url.QueryEscape(pem.String()))
}

// alb plays the load balancer: it connects in the clear and writes the header.
func alb(address string) site { return site{base: "http://" + address} }

func through(values ...string) http.Header { return http.Header{"X-Amzn-Mtls-Clientcert": values} }

func TestTheTokenEndpointBehindAnALB(t *testing.T) {
	// With "+" in the base64, which a reader of queries would break.
	seed := withPlus(t)
	root := authority(t, "Root")
	between := issue(t, root, testca.Template{CommonName: "Between", CA: true})
	leaf := issue(t, between, testca.Template{CommonName: "leaf"})
	stranger := selfSigned(t, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{settings: albBlock(t, "token"), clients: map[string]document{"lab": trusting(seed), "chained": trusting(root)}})
	w.start()
	balancer := alb(w.proxiesAddress(t))
	for sentence, test := range map[string]struct {
		client string
		header http.Header
		status int
		reason string
	}{
		"a self-signed certificate gets a token":          {"lab", through(albHeader(seed)), 200, "token_issued"},
		"a chain with its intermediate gets one":          {"chained", through(albHeader(leaf, between)), 200, "token_issued"},
		"and with its root":                               {"chained", through(albHeader(leaf, between, root)), 200, "token_issued"},
		"a leaf without it gets none":                     {"chained", through(albHeader(leaf)), 401, "path_not_found"},
		"a stranger gets none":                            {"lab", through(albHeader(stranger)), 401, "path_not_found"},
		"no header is no certificate":                     {"lab", nil, 401, "certificate_missing"},
		"an empty one is none":                            {"lab", through(""), 401, "certificate_missing"},
		"one of the caller's beside the ALB's is refused": {"lab", through(albHeader(stranger), albHeader(seed)), 401, "evidence_repeated"},
		"the same of verify mode is not read":             {"lab", http.Header{"X-Amzn-Mtls-Clientcert-Leaf": {albHeader(seed)}}, 401, "certificate_missing"},
		"spaces as a form has them are refused":           {"lab", through(strings.ReplaceAll(albHeader(seed), "%20", "+")), 401, "certificate_malformed"},
		"X-Forwarded-For changes nothing":                 {"lab", http.Header{"X-Amzn-Mtls-Clientcert": {albHeader(seed)}, "X-Forwarded-For": {"198.51.100.1"}}, 200, "token_issued"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := balancer.post(t, posted{form: granting(test.client), header: test.header})
			if got.status != test.status {
				t.Errorf("status %d with %s, want %d", got.status, got.body, test.status)
			}
			if r := w.judged(t, got.id); r.Reason != test.reason {
				t.Errorf("the record is %+v, want %s", r, test.reason)
			}
		})
	}
	for path, want := range map[string]int{"/readyz": 200, "/livez": 200, "/.well-known/jwks.json": 200, metadataPath: 200, "/metrics": 404, "/healthz": 404, "/authz": 404, "/authz/orders": 404} {
		if got := balancer.get(t, path, through(albHeader(seed))); got.status != want {
			t.Errorf("%s: status %d, want %d", path, got.status, want)
		}
	}
	named := balancer.post(t, posted{form: granting("lab"), header: http.Header{"X-Amzn-Mtls-Clientcert": {albHeader(seed)}, "X-Request-Id": {"its-own"}}})
	if named.id == "its-own" || named.id == "" {
		t.Errorf("the request id is %q", named.id)
	}
	if _, h := w.operations(t, "/healthz"); !strings.Contains(h, "proxies[0].addresses: whoever can connect to listen.proxies from 127.0.0.1/32 is believed as proxy alb") {
		t.Errorf("/healthz does not warn: %s", h)
	}
	if !strings.Contains(w.serve.printed(t), "is believed as proxy alb") {
		t.Error("the log does not warn")
	}
}

// withPlus makes a certificate whose PEM has a plus sign.
func withPlus(t *testing.T) *testca.Issued {
	t.Helper()
	for {
		issued := made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization"))
		if strings.Contains(string(issued.PEM()), "+") {
			return issued
		}
	}
}

func TestEnvoyBehindAnALB(t *testing.T) {
	binary := realEnvoy(t)
	lab, stranger := withPlus(t), selfSigned(t, testca.Template{CommonName: "lab"})
	root := authority(t, "Root")
	between := issue(t, root, testca.Template{CommonName: "Between", CA: true})
	leaf := issue(t, between, testca.Template{CommonName: "leaf"})
	w := prepare(t, plan{settings: albBlock(t, "envoy-config"), clients: map[string]document{"lab": trusting(lab), "chained": trusting(root)}})
	w.start()
	text := strings.NewReplacer(
		"address: 0.0.0.0, port_value: 10000", "address: 127.0.0.1, port_value: 0",
		"/run/certbearer/", filepath.Join(w.folder, "run")+"/",
		"timeout: 0.5s", "timeout: 10s",
		"address: 127.0.0.1, port_value: 8080", "address: 127.0.0.1, port_value: "+w.upstream.address[strings.LastIndex(w.upstream.address, ":")+1:],
	).Replace(albBlock(t, "envoy"))
	path := filepath.Join(w.folder, "envoy-alb.yaml")
	admin := "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n"
	if err := os.WriteFile(path, []byte(admin+text), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy, err := binary.Start(t.Context(), run.Config{Path: path, Concurrency: 1, Log: w.envoyLog()})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{world: w, proxy: proxy}
	w.gates = append(w.gates, g)
	if g.address, err = proxy.Listener(t.Context(), "behind-alb"); err != nil {
		t.Fatal(err)
	}
	balancer := &proxyServer{site: alb(g.address.String()), world: w}
	keys := keysOf(t, balancer.site)
	own := func(h http.Header) http.Header { h["Authorization"] = []string{"Bearer own"}; return h }
	for sentence, test := range map[string]struct {
		ask    ask
		status int
		got    string
	}{
		"a certificate in the header becomes a token": {ask{header: through(albHeader(lab))}, 200, withToken},
		"a chain too":                     {ask{header: through(albHeader(leaf, between))}, 200, withToken},
		"a stranger is refused":           {ask{header: through(albHeader(stranger))}, 401, nothing},
		"so is no header":                 {ask{}, 401, nothing},
		"and two of them":                 {ask{header: through(albHeader(lab), albHeader(lab))}, 401, nothing},
		"and one of verify mode":          {ask{header: http.Header{"X-Amzn-Mtls-Clientcert-Leaf": {albHeader(lab)}}}, 401, nothing},
		"and a token of another's":        {ask{header: own(through(albHeader(lab)))}, 401, nothing},
		"Envoy's own header says nothing": {ask{header: http.Header{"X-Forwarded-Client-Cert": {elementOf(lab)}}}, 401, nothing},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := balancer.ask(t, test.ask)
			if got.status != test.status {
				t.Errorf("status %d with %s, want %d", got.status, got.body, test.status)
			}
			checkArrived(t, keys, got.received, test.got)
			for _, r := range got.received {
				if values := r.Header["X-Amzn-Mtls-Clientcert"]; len(values) > 0 {
					t.Error("the upstream received the ALB's header")
				}
			}
		})
	}
	t.Run("the token endpoint is behind it too", func(t *testing.T) {
		got := balancer.post(t, posted{form: granting("lab"), header: through(albHeader(lab)), host: "mtls.api.example.com"})
		if got.status != http.StatusOK {
			t.Errorf("status %d with %s", got.status, got.body)
		}
	})
}
