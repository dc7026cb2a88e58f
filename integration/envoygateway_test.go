package integration_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// The manifests of the repository are what its own command writes.
func TestTheManifestsForEnvoyGatewayAreTheRenderedOnes(t *testing.T) {
	folder := t.TempDir()
	mustRun(t, "render", "envoy-gateway", "--config", filepath.Join(manifestsOf("gateway"), "certbearer.yaml"), "--output-dir", folder, "--patch")
	for _, name := range []string{"workload.yaml", "gateway.yaml", "routes.yaml", "patch.yaml"} {
		committed, err := os.ReadFile(filepath.Join(manifestsOf("gateway"), name))
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(committed), string(rendered)); diff != "" {
			t.Errorf("%s differs (-committed +rendered); if that is meant: certbearer render envoy-gateway --config envoy/gateway/certbearer.yaml --output-dir envoy/gateway --patch\n%s", name, diff)
		}
	}
}

// The versions of Envoy that the translated configuration is run with: Envoy
// Gateway 1.9 ships a 1.39, and the newest.
var gatewayVersions = []string{"1.39.3", run.Default}

// secret is a Secret or a ConfigMap that the page has an operator make, with the
// content of its files. egctl reads it among the manifests; a real gateway would
// hand it to Envoy over SDS.
type secret struct {
	kind, name string
	files      map[string][]byte
}

// gatewayPlan is what a test wants of Envoy Gateway.
type gatewayPlan struct {
	version  string // of Envoy
	clients  map[string]document
	settings string             // on top of those in envoy/gateway
	routes   string             // in the place of those there; then the manifests are rendered anew
	more     []string           // manifests of the operator's choice
	change   func(*translation) // of what Envoy Gateway makes of them
}

// openGateway starts certbearer with the settings in envoy/gateway, and before it
// an Envoy with what Envoy Gateway makes of the manifests there.
func openGateway(t *testing.T, p gatewayPlan) *gate {
	t.Helper()
	binary := envoytest.Version(t, p.version)
	w := prepare(t, plan{clients: p.clients})
	secrets := w.placeGatewaySecrets(t)
	w.useGatewaySettings(t, p.settings+p.routes)
	manifests := manifestsOf("gateway")
	if p.routes != "" {
		manifests = w.renderGateway(t, p.routes)
	}
	translated := w.translateGateway(t, manifests, secrets, p.more...)
	w.start()
	if p.change != nil {
		p.change(translated)
	}
	path := w.placeTranslated(t, translated, secrets)
	proxy, err := binary.Start(t.Context(), run.Config{Path: path, Concurrency: 1, Log: w.envoyLog()})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{world: w, proxy: proxy}
	g.keys = &keySet{gate: g}
	w.gates = append(w.gates, g)
	if g.address, err = proxy.Listener(t.Context(), "certbearer/certbearer/https"); err != nil {
		t.Fatal(err)
	}
	return g
}

// gatewayPage is the block of docs/envoy-gateway.md that follows a mark.
func gatewayPage(t *testing.T, mark string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "envoy-gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- "+mark+" -->\n```sh\n")
	block, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("the page has no block %s", mark)
	}
	return block
}

// placeGatewaySecrets does what the page says: it makes the certificates with its
// commands, and what its kubectl would make of them.
func (w *world) placeGatewaySecrets(t *testing.T) []secret {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		leaveOut(t, "there is no openssl")
	}
	folder := filepath.Join(w.folder, "mesh")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bash", "-euc", gatewayPage(t, "gateway-certificates"))
	command.Dir = folder
	if printed, err := command.CombinedOutput(); err != nil {
		t.Fatalf("the page's openssl: %v\n%s", err, printed)
	}
	// What the operator has already: the gateway's certificate, as init makes it.
	for name, from := range map[string]string{"fullchain.pem": "server.crt", "privkey.pem": "server.key"} {
		if err := os.Link(filepath.Join(w.folder, "pki", from), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	var all []secret
	for line := range strings.Lines(gatewayPage(t, "gateway-secrets")) {
		if s, ok := created(t, folder, strings.Fields(line)); ok {
			all = append(all, s)
		}
	}
	for name, content := range secretNamed(t, all, "certbearer-tls").files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// created is what a kubectl create makes of files in the folder.
func created(t *testing.T, folder string, words []string) (secret, bool) {
	t.Helper()
	if len(words) < 6 || strings.Join(words[:4], " ") != "kubectl -n certbearer create" {
		return secret{}, false
	}
	s := secret{kind: words[4], files: map[string][]byte{}}
	words = words[5:]
	if s.kind == "secret" {
		s.kind, words = "secret "+words[0], words[1:]
	}
	s.name = words[0]
	for _, word := range words[1:] {
		flag, value, _ := strings.Cut(word, "=")
		name, path, named := strings.Cut(value, "=")
		switch flag {
		case "--cert":
			name, path, named = "tls.crt", value, true
		case "--key":
			name, path, named = "tls.key", value, true
		}
		if !named {
			return secret{}, false // a folder: the clients, which the test has made
		}
		content, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			t.Fatal(err)
		}
		s.files[name] = content
	}
	return s, true
}

func secretNamed(t *testing.T, all []secret, name string) secret {
	t.Helper()
	for _, s := range all {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("the page does not make %s", name)
	return secret{}
}

// useGatewaySettings has certbearer run with envoy/gateway/certbearer.yaml, of
// which only ports and paths are others: those of the container are not here. The
// volume for keys and revocations is empty, and the group's too, as a new one is.
func (w *world) useGatewaySettings(t *testing.T, more string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifestsOf("gateway"), "certbearer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(w.folder, "state")
	if err := errors.Join(os.Mkdir(state, 0o700), os.Chmod(state, 0o2775)); err != nil {
		t.Fatal(err)
	}
	tls := map[string]any{"certificate": "mesh/tls.crt", "key": "mesh/tls.key", "trustedCA": "mesh/ca.crt"}
	editSettings(t, w.config, settings{
		"clients":     map[string]any{"directory": "clients"},
		"keys":        map[string]any{"directory": "state/keys"},
		"revocations": map[string]any{"file": "state/revocations/revoked.jsonl"},
		"listen": map[string]any{"grpc": "127.0.0.1:0", "ops": "127.0.0.1:0", "proxies": map[string]any{
			"address": "127.0.0.1:0", "certificate": tls["certificate"], "key": tls["key"], "trustedCA": tls["trustedCA"],
		}},
		"callers": tls,
		"audit":   map[string]any{"to": "audit.jsonl"},
	}, parseSettings(t, more))
}

// ordersService is what the manifests lead to and leave to the operator.
const ordersService = `
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec:
  selector: {app: orders}
  ports: [{name: http, port: 8080}]
  clusterIP: 10.96.0.8
`

// renderGateway renders the settings of the repository with other routes, and
// returns the folder.
func (w *world) renderGateway(t *testing.T, routes string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifestsOf("gateway"), "certbearer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.folder, "mesh", "certbearer.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	editSettings(t, path, parseSettings(t, routes))
	folder := filepath.Join(w.folder, "mesh", "manifests")
	mustRun(t, "render", "envoy-gateway", "--config", path, "--output-dir", folder)
	return folder
}

// translateGateway translates the manifests of a folder, and holds that Envoy
// Gateway accepts every one of them.
func (w *world) translateGateway(t *testing.T, folder string, secrets []secret, more ...string) *translation {
	t.Helper()
	var paths []string
	for _, name := range append([]string{"workload.yaml", "gateway.yaml", "routes.yaml"}, more...) {
		paths = append(paths, filepath.Join(folder, name))
	}
	all := append(joinManifests(t, paths...), ordersService...)
	var made []byte
	for _, s := range secrets {
		made = append(made, s.manifest()...)
	}
	translated, err := translate(t, all, made)
	if err != nil {
		t.Fatal(err)
	}
	if len(translated.refused) > 0 {
		t.Fatalf("Envoy Gateway refuses:\n%s", strings.Join(translated.refused, "\n"))
	}
	return translated
}

func (s secret) manifest() string {
	if s.kind == "configmap" {
		var data strings.Builder
		for name, content := range s.files {
			data.WriteString("  " + name + ": " + strconv.Quote(string(content)) + "\n")
		}
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + s.name + ", namespace: certbearer}\ndata:\n" + data.String()
	}
	kind := map[string]string{"secret tls": "kubernetes.io/tls", "secret generic": "Opaque"}[s.kind]
	var data strings.Builder
	for name, content := range s.files {
		data.WriteString("  " + name + ": " + base64.StdEncoding.EncodeToString(content) + "\n")
	}
	return "---\napiVersion: v1\nkind: Secret\ntype: " + kind + "\nmetadata: {name: " + s.name + ", namespace: certbearer}\ndata:\n" + data.String()
}

// placeTranslated writes what Envoy Gateway made of the manifests as a bootstrap
// for one Envoy without a cluster around it. What it changes, all of it:
//
//   - What the gateway would be asked for over xDS stands in the file itself, because
//     no gateway runs: the listener, its routes (rds), the clusters and their
//     endpoints (eds). A secret (sds over ads) is a file, with the same content.
//   - Addresses: the listener's is loopback and a port of the system's choice, and
//     the endpoints of a service, found by its name and port, are our processes.
//   - The time of a check is 10 s in the place of 500 ms: the machine may be busy.
//     That it was 500 ms is held.
//   - Of the gateway's own bootstrap, its connection to the gateway, its Prometheus
//     listener and its admin address are left out; runtime and overload manager stay.
func (w *world) placeTranslated(t *testing.T, x *translation, secrets []secret) string {
	t.Helper()
	services := map[string]string{
		"certbearer/certbearer/9191": w.grpc,
		"certbearer/certbearer/9192": w.serve.addresses(t)[1],
		"shop/orders/8080":           w.upstream.address,
	}
	var clusters []any
	for name, cluster := range x.clusters {
		delete(cluster, "edsClusterConfig")
		cluster["type"] = "STATIC"
		cluster["loadAssignment"] = placedEndpoints(t, x.endpoints[name], services)
		clusters = append(clusters, cluster)
	}
	x.listener["address"] = part{"socketAddress": part{"address": "127.0.0.1", "portValue": 0}}
	eachPart(x.listener, func(p part) {
		if p["rds"] != nil {
			delete(p, "rds")
			p["routeConfig"] = x.routes
		}
		if service, ok := p["grpcService"].(part); ok && at(service, "envoyGrpc") != nil {
			if service["timeout"] != "0.500s" {
				t.Errorf("a check may take %v", service["timeout"])
			}
			service["timeout"] = "10s"
		}
	})
	bootstrap := part{
		"node":            part{"id": "gateway", "cluster": "gateway"},
		"admin":           part{"address": part{"socketAddress": part{"address": "127.0.0.1", "portValue": 0}}},
		"layeredRuntime":  x.bootstrap["layeredRuntime"],
		"overloadManager": x.bootstrap["overloadManager"],
		"staticResources": part{"listeners": []any{x.listener}, "clusters": clusters},
	}
	w.placeSecrets(t, bootstrap, secrets)
	return w.writeJSON(t, "envoy-translated.json", bootstrap)
}

// placedEndpoints has the endpoints of a service where they are in this test.
func placedEndpoints(t *testing.T, assignment part, services map[string]string) part {
	t.Helper()
	for _, locality := range list(assignment["endpoints"]) {
		of := list(at(locality, "metadata", "filterMetadata", "envoy-gateway", "resources"))
		if len(of) != 1 {
			t.Fatalf("endpoints of %d services in %v", len(of), assignment["clusterName"])
		}
		name := of[0]["namespace"].(string) + "/" + of[0]["name"].(string) + "/" + of[0]["sectionName"].(string)
		host, port, err := net.SplitHostPort(services[name])
		if err != nil {
			t.Fatalf("the manifests lead to %s, where nobody is: %v", name, err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		for _, endpoint := range list(locality["lbEndpoints"]) {
			endpoint["endpoint"].(part)["address"] = part{"socketAddress": part{"address": host, "portValue": number}}
		}
	}
	return assignment
}

// placeSecrets writes a file for each secret, and has what asked for it look there.
func (w *world) placeSecrets(t *testing.T, bootstrap part, secrets []secret) {
	t.Helper()
	files := map[string]string{}
	for _, s := range secrets {
		resource := part{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "name": "certbearer/" + s.name}
		if ca, ok := s.files["ca.crt"]; ok && s.kind == "configmap" {
			resource["validationContext"] = part{"trustedCa": part{"inlineBytes": ca}}
		} else {
			resource["tlsCertificate"] = part{"certificateChain": part{"inlineBytes": s.files["tls.crt"]}, "privateKey": part{"inlineBytes": s.files["tls.key"]}}
		}
		files["certbearer/"+s.name] = w.writeJSON(t, "envoy-sds-"+s.name+".json", part{"resources": []any{resource}})
	}
	eachPart(bootstrap, func(p part) {
		source, isRef := p["sdsConfig"].(part)
		if !isRef || source["ads"] == nil {
			return
		}
		path, found := files[p["name"].(string)]
		if !found {
			t.Fatalf("the manifests need a secret %v that the page does not make", p["name"])
		}
		p["sdsConfig"] = part{"resourceApiVersion": "V3", "pathConfigSource": part{"path": path}}
	})
}

func (w *world) writeJSON(t *testing.T, name string, value any) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.folder, name)
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// eachPart calls do for every part, outer ones first.
func eachPart(value any, do func(part)) {
	switch value := value.(type) {
	case part:
		do(value)
		for _, member := range value {
			eachPart(member, do)
		}
	case []any:
		for _, element := range value {
			eachPart(element, do)
		}
	}
}

// gatewayCast is who comes to the gateway.
type gatewayCast struct{ pinned, issued, stranger *testca.Issued }

func newGatewayCast(t *testing.T) (gatewayCast, map[string]document) {
	t.Helper()
	root := authority(t, "Partner Root")
	intermediate := issue(t, root, testca.Template{CommonName: "Partner Intermediate", CA: true})
	c := gatewayCast{
		pinned:   selfSigned(t, testca.Template{CommonName: "partner"}),
		issued:   issue(t, intermediate, testca.Template{CommonName: "issued"}),
		stranger: selfSigned(t, testca.Template{CommonName: "stranger"}),
	}
	return c, map[string]document{
		"partner": trusting(c.pinned).with("scope", []string{"orders.read", "orders.write"}).with("defaultScope", []string{"orders.read"}),
		"issued":  trusting(root),
	}
}

func TestWhatEnvoyGatewayMakesOfTheManifestsHoldsTheMainScenario(t *testing.T) {
	cast, clients := newGatewayCast(t)
	for _, version := range gatewayVersions {
		t.Run(version, func(t *testing.T) {
			openGateway(t, gatewayPlan{version: version, clients: clients}).playAtGateway(t, cast)
		})
	}
}

// With the patch the certificate comes in source.certificate.
func TestThePatchOfEnvoyGatewayHoldsTheMainScenarioToo(t *testing.T) {
	cast, clients := newGatewayCast(t)
	for _, version := range gatewayVersions {
		t.Run(version, func(t *testing.T) {
			openGateway(t, gatewayPlan{
				version: version, clients: clients, settings: "certificate: {from: peer}", more: []string{"patch.yaml"},
				change: func(x *translation) { x.isPatched(t) },
			}).playAtGateway(t, cast)
		})
	}
}

// isPatched holds that the patch changed every check, and the TLS.
func (x *translation) isPatched(t *testing.T) {
	t.Helper()
	checks := 0
	eachPart(x.listener, func(p part) {
		if p["@type"] != "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz" {
			return
		}
		checks++
		if p["includePeerCertificate"] != true || p["validateMutations"] != true {
			t.Errorf("a check is not patched: %v", p)
		}
	})
	if checks < 5 { // one for each route
		t.Errorf("%d checks", checks)
	}
	chain := list(x.listener["filterChains"])[0]
	if at(chain, "transportSocket", "typedConfig", "commonTlsContext", "validationContext", "suppressClientCaList") != true {
		t.Error("suppress_client_ca_list is not set")
	}
}

// playAtGateway is the main scenario. Its last act ends certbearer.
func (g *gate) playAtGateway(t *testing.T, c gatewayCast) {
	t.Run("a certificate is judged by its own client", func(t *testing.T) { g.judgesAtGateway(t, c) })
	t.Run("each route is asked about by its name", func(t *testing.T) { g.namesRoutes(t, c) })
	t.Run("a caller's own headers count for nothing", func(t *testing.T) { g.believesNoHeader(t, c) })
	t.Run("a path has one reading", func(t *testing.T) { g.readsPathsOnce(t) })
	t.Run("keys and metadata are for everybody", func(t *testing.T) { g.publishes(t) })
	t.Run("a token of the endpoint is taken at the gateway", func(t *testing.T) { g.givesTokens(t, c) })
	t.Run("without certbearer it is a 503", func(t *testing.T) { g.failsClosed(t, c) })
}

func (g *gate) judgesAtGateway(t *testing.T, c gatewayCast) {
	for sentence, c := range map[string]credential{
		"a pinned one gets its token through":      {as: presents(c.pinned), want: admitted("partner")},
		"one issued by way of an intermediate too": {as: presents(c.issued), want: admitted("issued")},
		"the intermediate has to be presented":     {as: alone(c.issued), want: unauthenticated("client_unknown")},
		"a stranger's is refused":                  {as: presents(c.stranger), want: unauthenticated("client_unknown")},
		"none is refused, with a record":           {want: unauthenticated("certificate_missing")},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, http2 := range []bool{false, true} {
				got, _ := g.expect(t, ask{path: "/orders/1", as: c.as, http2: http2}, c.want)
				for _, r := range got.received {
					if len(r.Header["X-Forwarded-Client-Cert"]) > 0 {
						t.Error("the upstream received x-forwarded-client-cert")
					}
				}
			}
		})
	}
}

func (g *gate) namesRoutes(t *testing.T, c gatewayCast) {
	as := presents(c.pinned)
	missing := unauthenticated("certificate_missing")
	on := func(w want, route string) want {
		w.route = route
		return w
	}
	for sentence, c := range map[string]struct {
		ask  ask
		want want
	}{
		"the one of its path":                    {ask{path: "/orders/1", as: as}, on(admitted("partner"), "orders")},
		"the one of its method":                  {ask{method: http.MethodPost, path: "/orders", as: as}, on(admitted("partner"), "orders_write")},
		"a public one asks for nothing":          {ask{path: "/status"}, want{status: 200, reason: allowedPublic, route: "status"}},
		"but of its methods":                     {ask{method: http.MethodPost, path: "/status"}, on(missing, "rest")},
		"a preflight asks for nothing":           {ask{method: http.MethodOptions, path: "/orders", header: preflight}, want{status: 200, reason: allowedPreflight, route: "cors"}},
		"an OPTIONS that is none does":           {ask{method: http.MethodOptions, path: "/orders"}, on(missing, "orders")},
		"what no other covers is the last one's": {ask{path: "/statusx", as: as}, on(admitted("partner"), "rest")},
	} {
		t.Run(sentence, func(t *testing.T) { g.expect(t, c.ask, c.want) })
	}
}

func (g *gate) believesNoHeader(t *testing.T, c gatewayCast) {
	missing, public := unauthenticated("certificate_missing"), want{status: 200, reason: allowedPublic}
	sent, site := map[string][]smuggling{}, g.site()
	for name, values := range smuggled(c.pinned) {
		header := http.Header{http.CanonicalHeaderKey(name): values}
		sent[name] = []smuggling{
			g.smuggling(t, ask{path: "/orders/1", as: presents(c.issued), header: header}, admitted("issued")),
			g.smuggling(t, ask{path: "/orders/1", as: presents(c.stranger), header: header}, unauthenticated("client_unknown")),
			g.smuggling(t, ask{path: "/orders/1", header: header}, missing),
			g.smuggling(t, ask{path: "/status", header: header}, public),
		}
		if got := site.post(t, posted{form: granting("partner"), header: header}); got.status != http.StatusUnauthorized {
			t.Errorf("%s at the token endpoint: status %d", name, got.status)
		}
	}
	for name, all := range sent { // by now their records are written
		g.dropped(t, name, all)
	}
	forged := want{status: 401, reason: "token_malformed", oauth: "invalid_token"}
	g.expect(t, ask{path: "/orders/1", as: presents(c.pinned), header: carrying(forgedToken)}, forged)
	got, _ := g.expect(t, ask{path: "/orders/1", header: http.Header{"X-Request-Id": {"of-its-own"}}}, missing)
	if got.id == "of-its-own" {
		t.Error("a caller chose the id of its request")
	}
	if got := g.ask(t, ask{path: "/orders/1", header: http.Header{"Client_cert": {"x"}}}); got.status != http.StatusBadRequest {
		t.Errorf("a name with an underscore: status %d", got.status)
	}
}

func (g *gate) smuggling(t *testing.T, a ask, w want) smuggling {
	t.Helper()
	return smuggling{ask: a, want: w, got: g.ask(t, a)}
}

func (g *gate) readsPathsOnce(t *testing.T) {
	for _, path := range []string{"/status/../orders/1", "//orders/1", "/status/./../orders"} {
		g.expect(t, ask{path: path}, unauthenticated("certificate_missing"))
	}
	for _, path := range []string{"/status/..%2forders/1", "/status%5c..%5corders"} {
		if got := g.ask(t, ask{path: path}); got.status != http.StatusBadRequest || len(got.received) > 0 {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

func (g *gate) publishes(t *testing.T) {
	if kid := g.keys.kid(t); kid == "" {
		t.Error("a key without an id")
	}
	const token = "https://gateway.example.com" + tokenPath
	if got := g.site().metadata(t)["token_endpoint"]; got != token {
		t.Errorf("the metadata names the token endpoint %v", got)
	}
	g.expect(t, ask{method: http.MethodPost, path: "/.well-known/jwks.json"}, unauthenticated("certificate_missing"))
}

func (g *gate) givesTokens(t *testing.T, c gatewayCast) {
	site, as := g.site(), presents(c.pinned)
	token := site.tokenFor(t, "partner", as)
	g.expect(t, ask{path: "/orders/1", as: as, header: carrying(token)}, admitted("partner"))
	stolen := want{status: 401, reason: "token_binding_mismatch", oauth: "invalid_token"}
	g.expect(t, ask{path: "/orders/1", as: presents(c.issued), header: carrying(token)}, stolen)
	site.tokenFor(t, "issued", presents(c.issued))
	site.refuses(t, posted{form: granting("partner"), as: presents(c.stranger)}, http.StatusUnauthorized, "invalid_client")
	refused := site.refuses(t, posted{form: granting("partner")}, http.StatusUnauthorized, "invalid_client")
	if r := g.world.judged(t, refused.id); r.Reason != "certificate_missing" {
		t.Errorf("the record's reason is %s", r.Reason)
	}
	big := strings.Repeat("x", 65<<10)
	if got := site.post(t, posted{body: big, as: as}); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 65 KiB: status %d", got.status)
	}
}

func (g *gate) failsClosed(t *testing.T, c gatewayCast) {
	if code := g.world.serve.stop(t); code != 0 {
		t.Errorf("certbearer ended with %d", code)
	}
	for sentence, a := range map[string]ask{
		"a client": {path: "/orders/1", as: presents(c.pinned)}, "nobody": {path: "/orders/1"},
		"a public path": {path: "/status"}, "the token endpoint": {method: http.MethodPost, path: tokenPath, as: presents(c.pinned)},
	} {
		if got := g.ask(t, a); got.status != http.StatusServiceUnavailable || len(got.received) > 0 {
			t.Errorf("%s: status %d, %d requests at the upstream", sentence, got.status, len(got.received))
		}
	}
}

// certbearer believes the gateway by the name in its certificate alone.
func TestEnvoyGatewayIsBelievedByItsNameAlone(t *testing.T) {
	cast, clients := newGatewayCast(t)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: clients, settings: `
callers: {sans: [other.certbearer.internal]}
proxies: [{name: gateway, mtls: [other.certbearer.internal], format: xfcc}]
`})
	for _, path := range []string{"/orders/1", "/status", "/.well-known/jwks.json", tokenPath} {
		if got := g.ask(t, ask{path: path, as: presents(cast.pinned)}); got.status != http.StatusServiceUnavailable || len(got.received) > 0 {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

// A request that got past certbearer by some mistake still needs its token.
func TestEnvoyGatewayVerifiesTheInjectedToken(t *testing.T) {
	cast, clients := newGatewayCast(t)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: clients, change: func(x *translation) {
		eachPart(x.routes, func(p part) {
			filters, _ := p["typedPerFilterConfig"].(part)
			for name := range filters {
				if strings.HasPrefix(name, "envoy.filters.http.ext_authz") {
					delete(filters, name)
				}
			}
		})
	}})
	g.until(t, "a token of the endpoint passes", ask{path: "/orders/1", header: carrying(g.site().tokenFor(t, "partner", presents(cast.pinned)))}, hasStatus(http.StatusOK))
	for sentence, a := range map[string]ask{
		"without a token":     {path: "/orders/1", as: presents(cast.pinned)},
		"with a forged one":   {path: "/orders/1", header: carrying(forgedToken)},
		"with one in a query": {path: "/orders/1?access_token=" + forgedToken},
	} {
		if got := g.ask(t, a); got.status != http.StatusUnauthorized || len(got.received) > 0 {
			t.Errorf("%s: status %d", sentence, got.status)
		}
	}
}

// Envoy Gateway has no field for the limit of headers, which is Envoy's own 60 KiB:
// less than certbearer takes. What lies between reaches nobody.
func TestLargeEvidenceBehindEnvoyGateway(t *testing.T) {
	// Base64 of ones is slashes, of which each takes three bytes when it is encoded,
	// and the certificate stands twice.
	bulk := func(size int) *testca.Issued {
		return selfSigned(t, testca.Template{CommonName: "bulk", ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: bytes.Repeat([]byte{0xff}, size)},
		}})
	}
	large, between, huge := bulk(5_000), bulk(7_800), bulk(20_000)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: map[string]document{
		"large": trusting(large), "between": trusting(between), "huge": trusting(huge),
	}})
	g.expect(t, ask{path: "/orders/1", as: presents(large)}, admitted("large"))
	g.expect(t, ask{path: "/orders/1", as: presents(huge)}, unauthenticated("evidence_too_large"))
	got := g.ask(t, ask{path: "/orders/1", as: presents(between)})
	if got.status != http.StatusInternalServerError || len(got.received) > 0 {
		t.Errorf("what lies between: status %d, %d requests at the upstream", got.status, len(got.received))
	}
	if r := g.world.record(t, got.id); r.Reason != allowed {
		t.Errorf("the record's reason is %s", r.Reason)
	}
}

// Of HTTPRoutes a request is matched with those of the most specific host alone, and
// a host has several spellings.
func TestRoutesOfHostsBehindEnvoyGateway(t *testing.T) {
	cast, clients := newGatewayCast(t)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: clients, routes: `
routes:
  - {name: api, match: {host: api.example.com, pathPrefix: /orders}}
  - {name: below, match: {host: "*.example.com", pathPrefix: /open}, access: public}
  - {name: rest}
`})
	as := presents(cast.pinned)
	for _, c := range []struct{ host, path, route string }{
		{"api.example.com", "/orders", "api"},
		{"API.Example.com", "/orders", "api"},
		{"api.example.com:8443", "/orders", "api"},
		{"api.example.com.", "/orders", "api"},
		{"api.example.com", "/other", "rest"},
		{"other.example.com", "/orders", "rest"},
		{"example.com", "/open", "rest"},
		{"elsewhere.example", "/orders", "rest"},
	} {
		w := admitted("partner")
		w.route = c.route
		g.expect(t, ask{host: c.host, path: c.path, as: as}, w)
	}
	for _, host := range []string{"api.example.com", "other.example.com", "OTHER.example.com:443"} {
		g.expect(t, ask{host: host, path: "/open"}, want{status: http.StatusOK, reason: allowedPublic, route: "below"})
		if got := g.ask(t, ask{host: host, path: "/.well-known/jwks.json"}); got.status != http.StatusOK {
			t.Errorf("the JWKS at %s: status %d", host, got.status)
		}
	}
}
