package integration_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// secret is a Secret or a ConfigMap that the page has an operator make, with the
// content of its files. egctl reads it among the manifests; a real gateway would
// hand it to Envoy over SDS.
type secret struct {
	kind, name string
	files      map[string][]byte
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
