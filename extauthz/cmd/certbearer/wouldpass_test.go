package main

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// scene is a refused certificate, with the documents on disk.
type scene struct {
	clients   map[string]map[string]any
	leaf      *testca.Issued
	presented []*testca.Issued
	clientID  string
	config    string // beside the usual lines
	// renewed does what a way with a change of time says: it returns the leaf of after
	// it, and may change documents.
	renewed func(clients map[string]map[string]any) *testca.Issued
	reason  string
	// ways are the kinds of the changes, with their clients, of each way.
	ways []string
}

func TestEachWayOutMakesTheRequestPassOnceItIsGone(t *testing.T) {
	for sentence, s := range scenes(t) {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			told, code := s.explain(t)
			if code != exitNo || told.Reason != s.reason {
				t.Fatalf("exit code %d, %s: %s", code, told.Reason, told.Detail)
			}
			var ways []string
			for _, one := range told.WouldPass {
				ways = append(ways, one.String())
			}
			if diff := cmp.Diff(s.ways, ways); diff != "" {
				t.Errorf("ways (-want +got)\n%s", diff)
			}
			for _, one := range told.WouldPass {
				for _, c := range one.Changes {
					if harmless := slices.Contains([]string{"present", "time", "name", "bind"}, c.Kind); c.Do == "" || strings.Contains(c.Do, "%") || c.Risk == "" && !harmless {
						t.Errorf("%s: does %q, and says of its risk %q", one, c.Do, c.Risk)
					}
				}
				gone := s.goneBy(t, one)
				if told, code := gone.explain(t); code != exitOK || !told.Allowed {
					t.Errorf("by %s, it still is %s: %s", one, told.Reason, told.Detail)
				}
			}
		})
	}
}

// tolds are what explain prints, as far as it is asked here.
type toldJSON struct {
	Allowed   bool      `json:"allowed"`
	Reason    string    `json:"reason"`
	Detail    string    `json:"detail"`
	WouldPass []toldWay `json:"would_pass"`
}

type toldWay struct {
	Changes []struct {
		Kind, Client, Field, Add, Do, Risk string
		Value                              json.RawMessage
	} `json:"changes"`
}

func (w toldWay) String() string {
	var all []string
	for _, c := range w.Changes {
		all = append(all, strings.TrimSpace(c.Kind+" "+c.Client))
	}
	return strings.Join(all, " and ")
}

func (s scene) explain(t *testing.T) (toldJSON, int) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "clients"), 0o700); err != nil {
		t.Fatal(err)
	}
	for id, fields := range s.clients {
		document := map[string]any{"resourceType": "ClientApplication", "id": id}
		maps.Copy(document, fields)
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Join("clients", id+".json"), string(text))
	}
	settings := write("certbearer.yaml", `issuer: https://localhost:8443
audience: https://api.example
clients: {directory: "`+filepath.Join(dir, "clients")+`"}
keys: {directory: keys}
listen: {grpc: "unix:extauthz.sock"}
`+s.config)
	args := []string{"explain", "--json", "-c", settings, "--cert", write("leaf.crt", pemsOf(s.leaf)), "--client-id", s.clientID}
	if len(s.presented) > 0 {
		args = append(args, "--chain", write("chain.crt", pemsOf(s.presented...)))
	}
	var out, trouble bytes.Buffer
	code := run(&console{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &out, stderr: &trouble}, args)
	var told toldJSON
	if err := json.Unmarshal(out.Bytes(), &told); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), trouble.String())
	}
	return told, code
}

// goneBy is the scene after the changes have been made, by hand: in the documents, in
// what is presented and in what the request says.
func (s scene) goneBy(t *testing.T, w toldWay) scene {
	t.Helper()
	clients := make(map[string]map[string]any)
	for id, fields := range s.clients {
		clients[id] = maps.Clone(fields)
	}
	s.clients = clients
	for _, c := range w.Changes {
		switch {
		case c.Kind == "present":
			s.presented = append(slices.Clone(s.presented), &testca.Issued{Certificate: must(truststore.ParseOne([]byte(c.Add)))})
		case c.Kind == "time":
			s.leaf = s.renewed(clients)
		case c.Kind == "name":
			s.clientID = c.Client
		case c.Kind == "client":
			var document map[string]any
			if err := json.Unmarshal(c.Value, &document); err != nil {
				t.Fatal(err)
			}
			clients[c.Client] = document
		case c.Add != "":
			before, _ := clients[c.Client][c.Field].(string)
			clients[c.Client][c.Field] = before + c.Add
		case c.Value == nil:
			delete(clients[c.Client], c.Field)
		default:
			var value any
			if err := json.Unmarshal(c.Value, &value); err != nil {
				t.Fatal(err)
			}
			clients[c.Client][c.Field] = value
		}
	}
	return s
}

// scenes are refusals for each kind of change, and some that nothing mends.
func scenes(t *testing.T) map[string]scene {
	t.Helper()
	made := func(template testca.Template) *testca.Issued { return must(testca.SelfSigned(template)) }
	issued := func(by *testca.Issued, template testca.Template) *testca.Issued { return must(by.Issue(template)) }
	type doc = map[string]any
	type docs = map[string]map[string]any
	storing := func(all ...*testca.Issued) doc { return doc{"certificateTrustStore": pemsOf(all...)} }
	with := func(of doc, field string, value any) doc { of[field] = value; return of }
	past, tomorrow := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)

	root := made(testca.Template{CommonName: "Root", CA: true})
	inter := issued(root, testca.Template{CommonName: "Issuing", CA: true})
	elsewhere := made(testca.Template{CommonName: "Elsewhere", CA: true})
	plain := testca.Template{CommonName: "leaf", DNSNames: []string{"leaf.example"}}
	leaf, under := issued(root, plain), issued(inter, plain)
	lone, other := made(plain), made(testca.Template{CommonName: "other"})
	bound := func(of doc, name string) doc { return with(of, "tlsClientAuth", doc{"sanDns": name}) }
	ended := plain
	ended.NotAfter = past
	endedLone := made(testca.Template{CommonName: "lone", NotAfter: past})
	endedRoot := made(testca.Template{CommonName: "Root", CA: true, Key: root.Key, NotAfter: past})
	coming := plain
	coming.NotBefore, coming.NotAfter = tomorrow, tomorrow.Add(time.Hour)
	formless := plain
	formless.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: []byte{0x30, 0}}}
	weak := plain
	weak.Key = must(testca.NewKey(testca.RSA1024))
	return map[string]scene{
		"a certificate that is pinned by nobody": {
			clients: docs{"a": storing(other)}, leaf: lone, clientID: "a",
			reason: "certificate_not_pinned", ways: []string{"pin a"},
		},
		"a renewed certificate, beside the one that is pinned": {
			clients: docs{"a": storing(made(plain))}, leaf: lone,
			reason: "client_unknown", ways: []string{"pin a"},
		},
		"a certificate that comes near to nobody": {
			clients: docs{"a": storing(other)}, leaf: lone,
			reason: "client_unknown", ways: []string{"client new"},
		},
		"an intermediate that another client has": {
			clients: docs{"a": bound(storing(root), "leaf.example"), "b": bound(storing(inter), "b.example")}, leaf: under, clientID: "a",
			reason: "path_not_found", ways: []string{"present", "pin a", "trust a"},
		},
		"the issuer presented, and of no client": {
			clients: docs{"a": storing(root)}, leaf: issued(elsewhere, plain), presented: []*testca.Issued{elsewhere}, clientID: "a",
			reason: "path_not_found", ways: []string{"pin a", "trust a"},
		},
		"a certificate that has ended": {
			clients: docs{"a": storing(root)}, leaf: issued(root, ended),
			renewed: func(docs) *testca.Issued { return issued(root, plain) },
			reason:  "certificate_expired", ways: []string{"time"},
		},
		"a pinned certificate that has ended": {
			clients: docs{"a": storing(endedLone)}, leaf: endedLone,
			renewed: func(clients docs) *testca.Issued {
				clients["a"]["certificateTrustStore"] = pemsOf(endedLone, lone)
				return lone
			},
			reason: "certificate_expired", ways: []string{"time"},
		},
		"a certificate that has ended and is not pinned either": {
			clients: docs{"a": storing(other)}, leaf: endedLone, clientID: "a",
			renewed: func(clients docs) *testca.Issued {
				clients["a"]["certificateTrustStore"] = pemsOf(lone)
				return lone
			},
			reason: "certificate_expired", ways: []string{"time and pin a"},
		},
		"a CA of the store that has ended": {
			clients: docs{"a": storing(endedRoot)}, leaf: leaf,
			renewed: func(clients docs) *testca.Issued {
				clients["a"]["certificateTrustStore"] = pemsOf(root)
				return leaf
			},
			reason: "path_expired", ways: []string{"time", "pin a"},
		},
		"a certificate that has not begun": {
			clients: docs{"a": storing(root)}, leaf: issued(root, coming),
			renewed: func(docs) *testca.Issued { return leaf }, // which stands for having waited
			reason:  "certificate_not_yet_valid", ways: []string{"time"},
		},
		"another subject than the client is bound to": {
			clients: docs{"a": bound(storing(root), "a.example")}, leaf: leaf,
			reason: "subject_mismatch", ways: []string{"bind a", "pin a"},
		},
		"another workload than the client is bound to": {
			clients: docs{"a": with(storing(root), "spiffe", doc{"id": "spiffe://td.example/other"})},
			leaf:    issued(root, testca.Template{CommonName: "leaf", URIs: []string{"spiffe://td.example/work"}}),
			reason:  "subject_mismatch", ways: []string{"bind a", "pin a"},
		},
		"a CA that two clients share, and no subject": {
			clients: docs{"a": storing(root), "b": storing(root)}, leaf: leaf,
			reason: "anchor_shared_unbound", ways: []string{"bind a", "bind b", "pin a", "pin b"},
		},
		"a profile that demands a subject": {
			clients: docs{"a": storing(root)}, leaf: leaf, config: "profile: fapi2\n",
			reason: "subject_mismatch", ways: []string{"bind a", "pin a"},
		},
		"a certificate that two clients pin": {
			clients: docs{"a": storing(lone), "b": storing(lone)}, leaf: lone,
			reason: "client_ambiguous", ways: []string{"name a", "name b", "unpin a", "unpin b"},
		},
		"a certificate of another client than is named": {
			clients: docs{"a": with(storing(root), "tokenEndpointAuthMethod", "self_signed_tls_client_auth"), "b": storing(lone)}, leaf: lone, clientID: "a",
			reason: "certificate_not_pinned", ways: []string{"name b", "pin a"},
		},
		"a client that is off": {
			clients: docs{"a": with(storing(lone), "status", "off")}, leaf: lone,
			reason: "client_inactive", ways: []string{"status a"},
		},
		"a form that RFC 5280 does not allow": {
			clients: docs{"a": storing(root)}, leaf: issued(root, formless),
			reason: "path_invalid", ways: []string{"pin a", "profile a"},
		},
		"a certificate policy that the certificate has not": {
			clients: docs{"a": with(storing(root), "certificatePolicies", []string{"1.2.3"})}, leaf: leaf,
			reason: "path_invalid", ways: []string{"pin a", "policies a"},
		},
		"a client that pins only, and has the CA": {
			clients: docs{"a": with(storing(root), "tokenEndpointAuthMethod", "self_signed_tls_client_auth")}, leaf: leaf, clientID: "a",
			reason: "certificate_not_pinned", ways: []string{"pin a", "method a"},
		},
		"a client that takes CAs only, and has the certificate": {
			clients: docs{"a": with(bound(storing(root, lone), "a.example"), "tokenEndpointAuthMethod", "tls_client_auth")}, leaf: lone, clientID: "a",
			reason: "path_not_found", ways: []string{"method a"},
		},
		"a client that asks for revocations of which nothing is known": {
			clients: docs{"a": with(storing(root), "revocation", doc{"mode": "hard", "hosts": []string{"crl.example"}})}, leaf: leaf,
			reason: "revocation_unavailable", ways: []string{"revocation a"},
		},
		"an audience that the client may not have": {
			clients: docs{"a": with(storing(lone), "audience", []string{"https://other.example"})}, leaf: lone,
			reason: "audience_not_allowed", ways: []string{"audience a"},
		},
		"a weak key, which nothing mends": {
			clients: docs{"a": storing(root)}, leaf: issued(root, weak), clientID: "a",
			reason: "key_weak",
		},
		"an intermediate that nobody has": {
			clients: docs{"a": with(bound(storing(root), "leaf.example"), "tokenEndpointAuthMethod", "tls_client_auth")}, leaf: under,
			reason: "client_unknown",
		},
	}
}

func pemsOf(all ...*testca.Issued) string {
	var text strings.Builder
	for _, one := range all {
		text.WriteString(pemOf(one.Certificate))
	}
	return text.String()
}
