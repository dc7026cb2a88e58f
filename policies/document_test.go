package policies_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/certbearer/certbearer/policies"
)

// exported is every field of Medplum's ClientApplication and of the FHIR base.
func exported(t testing.TB) fields {
	return fields{
		"id": "lab-partner", "status": "active", "name": "Lab", "description": "d",
		"secret": "s", "retiringSecret": "r", "jwksUri": "https://a/jwks", "redirectUri": "https://a/cb",
		"redirectUris": []string{"https://a/cb"}, "launchUri": "https://a/l", "launchIdentifierSystems": []string{"urn:x"},
		"pkceOptional": true, "identityProvider": fields{"authorizeUrl": "https://a"}, "signInForm": fields{"logo": fields{"url": "https://a"}},
		"accessTokenLifetime": "2h", "refreshTokenLifetime": "2w", "allowedOrigin": []string{"https://a"},
		"grantType": []string{"client_credentials"}, "responseType": []string{"code"}, "defaultScope": []string{"openid"},
		"certificateTrustStore": store(selfSigned(t, leaf("lab"))),
		"meta":                  fields{"versionId": "1", "lastUpdated": "2025-11-01T00:00:00Z", "compartment": []any{}},
		"implicitRules":         "https://a", "language": "en", "text": fields{"status": "generated"}, "contained": []any{},
		"extension": []any{fields{"url": "https://a"}}, "modifierExtension": []any{}, "_name": fields{"extension": []any{}},
	}
}

func TestADocumentExportedFromMedplumLoadsUnchanged(t *testing.T) {
	text := documentJSON(t, exported(t))
	asYAML, err := yaml.JSONToYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{"a.json": text, "b.json": indented.Bytes(), "a.yaml": asYAML, "a.YML": asYAML} {
		t.Run(file, func(t *testing.T) {
			documents, err := policies.ParseFile(file, data)
			if err != nil || len(documents) != 1 || documents[0].Fault != nil {
				t.Fatalf("%d documents, %v, %v", len(documents), err, documents)
			}
			d, c := documents[0], documents[0].Client
			type facts struct {
				ID, Name     string
				Status       policies.Status
				DefaultScope []string
				Lifetime     time.Duration
				Pins         int
			}
			want := facts{"lab-partner", "Lab", policies.StatusActive, []string{"openid"}, 2 * time.Hour, 1}
			got := facts{c.ID(), d.Name, c.Status(), c.DefaultScope(), c.AccessTokenLifetime(), len(c.Pins())}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("client (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSeedsDocumentTakesItsIDFromTheFile(t *testing.T) {
	pem := store(seedCertificate(t))
	text := documentJSON(t, fields{"name": "My Integration Client", "certificateTrustStore": pem})
	documents, err := policies.ParseFile("clients/lab-partner.json", text)
	if err != nil || documents[0].Fault != nil {
		t.Fatal(err, documents[0].Fault)
	}
	c := documents[0].Client
	if c.ID() != "lab-partner" || c.Status() != policies.StatusActive || len(c.Pins()) != 1 || len(c.Anchors()) != 1 || c.AccessTokenLifetime() != time.Hour || c.AuthMethod() != policies.AnyTLSMethod {
		t.Errorf("client %q, %s, %d pins, %d anchors, %s, method %q", c.ID(), c.Status(), len(c.Pins()), len(c.Anchors()), c.AccessTokenLifetime(), c.AuthMethod())
	}
}

func TestSeveralDocumentsOfAFile(t *testing.T) {
	const a, b = `{"resourceType":"ClientApplication","id":"a"}`, `{"resourceType":"ClientApplication","id":"b","status":"off"}`
	for sentence, c := range map[string]struct{ file, text string }{
		"one after the other":         {"f.json", a + b},
		"one a line":                  {"f.json", a + "\n" + b + "\n"},
		"an array":                    {"f.json", "[" + a + ",\n" + b + "]"},
		"a Bundle of a search":        {"f.json", `{"resourceType":"Bundle","type":"searchset","entry":[{"fullUrl":"x","resource":` + a + `},{"search":{"mode":"match"},"resource":` + b + `}]}`},
		"a Bundle after a document":   {"f.json", a + `{"entry":[{"resource":` + b + `}],"resourceType":"Bundle"}`},
		"YAML between separators":     {"f.yaml", "resourceType: ClientApplication\nid: a\n---\nresourceType: ClientApplication\nid: b\nstatus: off\n"},
		"YAML with comments only":     {"f.yaml", "# first\n---\nresourceType: ClientApplication\nid: a\n---\n# nothing\n---\nresourceType: ClientApplication\nid: b\nstatus: \"off\"\n---\n"},
		"JSON written in a YAML file": {"f.yml", a + "\n---\n" + b + "\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile(c.file, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range documents {
				if d.Fault != nil {
					t.Fatal(d.Fault)
				}
				got = append(got, d.Client.ID()+" "+d.Client.Status().String())
			}
			if diff := cmp.Diff([]string{"a active", "b off"}, got); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFileWithoutADocumentIsAFault(t *testing.T) {
	for file, texts := range map[string][]string{
		"f.json": {"", "\n \n", "[]", `{"resourceType":"Bundle"}`, `{"resourceType":"Bundle","entry":[]}`},
		"f.yaml": {"", "\n \n", "# nothing\n", "---\n# nothing\n---\n", "null\n", "# nothing"},
	} {
		for _, text := range texts {
			documents, err := policies.ParseFile(file, []byte(text))
			if want := file + ": holds no document: to remove its clients, remove the file"; err == nil || err.Error() != want || len(documents) != 0 {
				t.Errorf("%s %q: %d documents, %v", file, text, len(documents), err)
			}
		}
	}
}

func TestAYAMLFileWhoseLastLineDoesNotEndIsBrokenOff(t *testing.T) {
	const head, first = "resourceType: ClientApplication\n", "resourceType: ClientApplication\nid: a\n---\n"
	for sentence, c := range map[string]struct {
		text, id string
		own      bool
		status   string
	}{
		"within a value":              {head + "id: lab\nname: La", "lab", true, ""},
		"within the id":               {head + "id: la", "f", false, ""},
		"within the id, a line on":    {head + "id:\n  la", "f", false, ""},
		"within active":               {head + "id: lab\nstatus: act", "lab", true, ""},
		"behind active":               {head + "id: lab\nstatus: active", "lab", true, ""},
		"before a status":             {head + "id: lab\nstatus:", "lab", true, ""},
		"behind off":                  {head + "id: lab\nstatus: off", "lab", true, "off"},
		"within off":                  {head + "id: lab\nstatus: of", "lab", true, "off"},
		"behind off without an id":    {head + "status: off", "f", false, "off"},
		"behind a bracket":            {"{resourceType: ClientApplication, id: lab, status: active}", "lab", true, "active"},
		"in the second of two":        {first + head + "id: lab\nname: La", "lab", true, ""},
		"in the second of two's id":   {first + head + "id: la", "", false, ""},
		"behind the separator of two": {first + head + "id: lab\n---", "lab", true, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile("f.yaml", []byte(c.text))
			want := fmt.Sprintf("f.yaml:%d: the last line does not end, so the file may be cut short", 1+strings.Count(c.text, "\n"))
			if err == nil || err.Error() != want || len(documents) == 0 {
				t.Fatalf("%d documents, %v; want %s", len(documents), err, want)
			}
			if len(documents) == 2 && documents[0].Fault != nil {
				t.Errorf("the first document: %v", documents[0].Fault)
			}
			d := documents[len(documents)-1]
			status := ""
			if d.HasStatus {
				status = d.Status.String()
			}
			if d.Fault == nil || d.Client != nil || d.ID != c.id || d.OwnID != c.own || status != c.status {
				t.Errorf("id %q (its own: %t), status %q, fault %v", d.ID, d.OwnID, status, d.Fault)
			}
		})
	}
}

// faulty is how a document of which one member is wrong reads, on line 3.
func faulty(member string) string {
	return "{\n\"resourceType\": \"ClientApplication\", \"id\": \"lab\",\n" + member + "\n}"
}

// What is likely to be written instead of a field is told what to write.
func TestAFieldThatIsNoneIsToldWhatWasMeant(t *testing.T) {
	for wrong, want := range map[string]string{
		"certificate_profile":           "certificateProfile",
		"profile":                       "certificateProfile",
		"certificatePolicy":             "certificatePolicies",
		"token_endpoint_auth_method":    "tokenEndpointAuthMethod",
		"default-scope":                 "defaultScope",
		"client_id":                     "id",
		"trustStore":                    "certificateTrustStore",
		"Revocation":                    "revocation",
		"revocationMode":                `revocation: {"mode": "hard"}`,
		"crls":                          `revocation: {"mode": "soft", "locations": ["http://ca.example/clients.crl"]}`,
		"spiffeId":                      `spiffe: {"id": "spiffe://td.example/path"}`,
		"trustDomain":                   `spiffe: {"trustDomain": "td.example"}`,
		"tls_client_auth_subject_dn":    `tlsClientAuth: {"subjectDn": …}`,
		"tls_client_auth_san_dns":       `tlsClientAuth: {"sanDns": …}`,
		"subjectDN":                     `tlsClientAuth: {"subjectDn": …}`,
		"tls_client_auth_san_something": "",
		"":                              "",
	} {
		documents, err := policies.ParseFile("f.json", []byte(faulty(`"`+wrong+`": "x"`)))
		if err != nil || documents[0].Fault == nil {
			t.Fatalf("%q: no fault: %v", wrong, err)
		}
		if want != "" {
			want = " (did you mean " + want + "?)"
		}
		if got := documents[0].Fault.Problem; got != "is no field of a ClientApplication"+want {
			t.Errorf("%q: %s", wrong, got)
		}
	}
}

func TestAFaultSaysWhereItIsAndWhat(t *testing.T) {
	const at = "f.json:3: document 1 (client lab): "
	many := `"` + strings.Repeat(`x","`, 200) + `x"`
	for sentence, c := range map[string]struct{ member, want string }{
		"an unknown field":                     {`"certificate": "x"`, at + "certificate: is no field of a ClientApplication"},
		"a field in other letters":             {`"status": "off", "Status": "active"`, at + "Status: is no field of a ClientApplication (did you mean status?)"},
		"a member twice":                       {`"name": "a", "name": "b"`, at + "name: stands twice"},
		"a status that is none":                {`"status": "Active"`, at + "status: is none of active, off, error"},
		"a status that is no string":           {`"status": false`, at + "status: is not a string"},
		"a null":                               {`"status": null`, at + "status: is not a string"},
		"a method that is none":                {`"tokenEndpointAuthMethod": "client_secret_basic"`, at + "tokenEndpointAuthMethod: is none of self_signed_tls_client_auth, tls_client_auth"},
		"tls_client_auth without a binding":    {`"tokenEndpointAuthMethod": "tls_client_auth"`, "f.json:1: document 1 (client lab): tlsClientAuth: is missing: tls_client_auth binds the client to a subject (RFC 8705 2.1.2), or to SPIFFE workloads by spiffe"},
		"tls_client_auth with an empty one":    {`"tokenEndpointAuthMethod": "tls_client_auth", "tlsClientAuth": {}`, "f.json:1: document 1 (client lab): tlsClientAuth: is missing: tls_client_auth binds the client to a subject (RFC 8705 2.1.2), or to SPIFFE workloads by spiffe"},
		"self-signed with a binding":           {`"tokenEndpointAuthMethod": "self_signed_tls_client_auth", "tlsClientAuth": {"sanDns": "a"}`, "f.json:1: document 1 (client lab): tlsClientAuth: has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"},
		"two bindings":                         {`"tlsClientAuth": {"sanDns": "a", "sanUri": "b:c"}`, at + "tlsClientAuth.sanUri: a client is bound to one subject: keep one of the fields (RFC 8705 2.1.2)"},
		"one binding twice":                    {`"tlsClientAuth": {"sanDns": "a", "sanDns": "b"}`, at + "tlsClientAuth.sanDns: stands twice"},
		"an unknown binding":                   {`"tlsClientAuth": {"sandns": "a"}`, at + "tlsClientAuth.sandns: is not known: one of subjectDn, sanDns, sanUri, sanIp, sanEmail (did you mean sanDns?)"},
		"a binding that is no string":          {`"tlsClientAuth": {"sanDns": ["a"]}`, at + "tlsClientAuth.sanDns: is not a string"},
		"a binding that cannot be":             {`"tlsClientAuth": {"sanDns": "*.a"}`, at + "tlsClientAuth.sanDns: has a wildcard, which no binding expands"},
		"bindings that are no object":          {`"tlsClientAuth": "CN=a"`, at + `tlsClientAuth: is not an object, such as {"subjectDn": "CN=client,O=Example"}`},
		"a mode that is no string":             {`"mode": true`, at + "mode: is not a string"},
		"a mode that is none":                  {`"mode": "off"`, at + "mode: is none of enforce, shadow"},
		"the mode of revocations":              {`"mode": "hard"`, at + `mode: is none of enforce, shadow; the mode of revocations stands in revocation, as {"mode": "hard"}`},
		"revocation without a mode":            {`"revocation": {}`, at + "revocation.mode: is missing: off, soft or hard"},
		"rules":                                {`"rules": []`, at + "rules: is not available in this version: the client would not be held to it"},
		"a scope with a blank":                 {`"scope": ["a", "b c"]`, at + "scope: value 2 is no scope token (RFC 6749 3.3): 1 to 256 of printable ASCII without space, quote and backslash"},
		"an empty scope":                       {`"defaultScope": [""]`, at + "defaultScope: value 1 is no scope token (RFC 6749 3.3): 1 to 256 of printable ASCII without space, quote and backslash"},
		"scopes in one string":                 {`"scope": "a b"`, at + `scope: is not a list of strings, such as ["a", "b"]`},
		"201 scopes":                           {`"scope": [` + many + `]`, at + "scope: has more than 200 values"},
		"a default scope beyond the scopes":    {`"scope": ["a"], "defaultScope": ["a", "b"]`, "f.json:1: document 1 (client lab): defaultScope: value 2 is not in scope"},
		"an audience that is relative":         {`"audience": ["/api"]`, at + "audience: value 1 is no absolute URI without a fragment (RFC 8707 2)"},
		"an audience with a fragment":          {`"audience": ["https://a/#b"]`, at + "audience: value 1 is no absolute URI without a fragment (RFC 8707 2)"},
		"an audience with an empty fragment":   {`"audience": ["https://a/#"]`, at + "audience: value 1 is no absolute URI without a fragment (RFC 8707 2)"},
		"201 audiences":                        {`"audience": [` + many + `]`, at + "audience: has more than 200 values"},
		"a lifetime without a unit":            {`"accessTokenLifetime": "3600"`, at + "accessTokenLifetime: does not have the form 3600s, 60m or 1h"},
		"a lifetime under a minute":            {`"accessTokenLifetime": "59s"`, at + "accessTokenLifetime: 59s is shorter than 1m0s"},
		"text in the trust store":              {`"certificateTrustStore": "\n\nhello"`, at + "certificateTrustStore: block 1 (line 3): text that is no PEM block: openssl x509 -in FILE writes the block alone"},
		"a private key in the trust store":     {`"certificateTrustStore": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"`, at + "certificateTrustStore: block 1 (line 1): a private key: a trust store holds certificates only; take the key out and consider it exposed"},
		"a trust store that is a list":         {`"certificateTrustStore": []`, at + "certificateTrustStore: is not a string"},
		"a secret that is no string":           {`"secret": 5`, at + "secret: is not a string"},
		"pkceOptional that is no boolean":      {`"pkceOptional": "yes"`, at + "pkceOptional: is neither true nor false"},
		"meta that is no object":               {`"meta": []`, at + "meta: is not an object whose members each stand once"},
		"an extension that is no list":         {`"extension": {}`, at + "extension: is not a list"},
		"an extension of a field that decides": {`"_status": {}`, at + "_status: is no field of a ClientApplication"},
		"a field whose name is no word":        {`"two words\n": 1`, at + "a field: is no field of a ClientApplication"},
		"a field with an empty name":           {`"": 1`, at + "a field: is no field of a ClientApplication"},
		"another resource":                     {`"resourceType": "Patient"`, at + "resourceType: stands twice"},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile("f.json", []byte(faulty(c.member)))
			if err != nil || len(documents) != 1 {
				t.Fatalf("%d documents, %v", len(documents), err)
			}
			if d := documents[0]; d.Client != nil || d.Fault == nil || d.Fault.Error() != c.want {
				t.Errorf("got  %v\nwant %s", d.Fault, c.want)
			}
		})
	}
}

func TestAFaultOfWholeFiles(t *testing.T) {
	const a, b = `{"resourceType":"ClientApplication","id":"a"}`, `{"resourceType":"ClientApplication","id":"b"}`
	for sentence, c := range map[string]struct {
		file, text, want string
		documents        int
	}{
		"another kind of file":            {"f.txt", a, "f.txt: documents are files named .json, .yaml or .yml", 0},
		"a syntax error after a document": {"f.json", a + "\n{\"id\" 5}", "f.json:2: not JSON: syntax error at byte 52", 2},
		"a document cut short":            {"f.json", `{"resourceType":"ClientApplication",`, "f.json:1: not JSON: the file ends within a document", 1},
		"an array cut short":              {"f.json", "[" + a + ",", "f.json:1: not JSON: the file ends within a document", 1},
		"a number":                        {"f.json", "5", "f.json:1: not JSON: is not an object", 0},
		"an array in an array":            {"f.json", "[[" + a + "]]", "f.json:1: not JSON: is not an object", 0},
		"a Bundle whose entry is none":    {"f.json", `{"resourceType":"Bundle","entry":{}}`, "f.json:1: not JSON: the entry of a Bundle is not a list", 0},
		"a Bundle with two lists":         {"f.json", `{"resourceType":"Bundle","entry":[{"resource":` + a + `}],` + "\n" + `"entry":[{"resource":` + b + `}]}`, "f.json:2: not JSON: a Bundle in which entry stands twice", 2},
		"YAML that is none":               {"f.yaml", "a: [1\nb: 2", "f.yaml: not YAML: line 1: did not find expected ',' or ']'", 0},
		"YAML with an alias to nothing":   {"f.yaml", "secret: *hunter2", "f.yaml: not YAML: an alias without an anchor: a value that begins with * stands in quotes", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile(c.file, []byte(c.text))
			if err == nil || err.Error() != c.want || len(documents) != c.documents {
				t.Errorf("%d documents, %v; want %d, %s", len(documents), err, c.documents, c.want)
			}
		})
	}
}

func TestFilesAreBounded(t *testing.T) {
	for file, c := range map[string]struct {
		size int
		want string
	}{
		"f.json": {policies.MaxFileBytes + 1, "f.json: the file has more than 67108864 bytes"},
		"f.yaml": {16<<20 + 1, "f.yaml: the file has more than 16777216 bytes: split it, or write it as JSON"},
	} {
		if _, err := policies.ParseFile(file, bytes.Repeat([]byte(" "), c.size)); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	var members strings.Builder
	for i := range 501 {
		fmt.Fprintf(&members, "_%d: 1\n", i)
	}
	for file, text := range map[string]string{
		"f.yaml": members.String(),
		"f.json": "{\"" + strings.ReplaceAll(strings.TrimSuffix(members.String(), "\n"), "\n", ",\"") + "}",
	} {
		text = strings.ReplaceAll(text, ":", map[string]string{"f.yaml": ":", "f.json": "\":"}[file])
		documents, err := policies.ParseFile(file, []byte(text))
		if err != nil || len(documents) != 1 || documents[0].Fault == nil || !strings.Contains(documents[0].Fault.Error(), "more than 500") {
			t.Errorf("%s with 501 members: %v, %v", file, documents, err)
		}
	}
	deep := "resourceType: ClientApplication\nmeta: " + strings.Repeat("{a: ", 60) + "1" + strings.Repeat("}", 60) + "\n"
	documents, err := policies.ParseFile("f.yaml", []byte(deep))
	if err != nil || documents[0].Fault.Error() != "f.yaml:2: document 1 (client f): meta: nests deeper than 50" {
		t.Errorf("deep YAML: %v, %v", documents, err)
	}
}

func TestYAMLMeansWhatItSays(t *testing.T) {
	const head = "resourceType: ClientApplication\nid: lab\n"
	const at = "f.yaml:3: document 1 (client lab): "
	for sentence, c := range map[string]struct{ text, want string }{
		"off without quotes is off":       {head + "status: off\n", "off"},
		"off in quotes is off":            {head + "status: 'off'\n", "off"},
		"no is no status":                 {head + "status: no\n", at + "status: is none of active, off, error"},
		"true is no status":               {head + "status: true\n", at + "status: is not a string"},
		"status in two spellings":         {head + "Status: active\nstatus: off\n", at + "Status: is no field of a ClientApplication (did you mean status?)"},
		"a field twice":                   {head + "id: other\n", at + "id: stands twice"},
		"an anchor and its alias":         {head + "name: &n x\ndescription: *n\n", "f.yaml:4: document 1 (client lab): description: is an alias, which documents do not use"},
		"an alias within a list":          {head + "name: &n x\nscope: [*n]\n", "f.yaml:4: document 1 (client lab): scope: is an alias, which documents do not use"},
		"a merge key":                     {head + "<<: {status: off}\n", at + "a field: is no plain field name"},
		"a merge key further in":          {head + "meta: {<<: {a: b}}\n", at + "meta: has a key that is no plain field name"},
		"a key that is a list":            {head + "[a]: b\n", at + "a field: is no plain field name"},
		"a tag":                           {head + "name: !hunter2 x\n", at + "name: has a YAML tag that documents do not use: a value that begins with ! stands in quotes"},
		"a number for a name":             {head + "name: 5\n", at + "name: is not a string"},
		"a list instead of a document":    {"- a\n", "f.yaml:1: document 1 (client f): is not a mapping of fields to values"},
		"a lifetime that looks like text": {head + "accessTokenLifetime: 1h\n", "active"},
		"a date is text":                  {head + "name: 2025-01-01\n", "active"},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile("f.yaml", []byte(c.text))
			if err != nil || len(documents) != 1 {
				t.Fatalf("%d documents, %v", len(documents), err)
			}
			d := documents[0]
			got := ""
			if d.Fault != nil {
				got = d.Fault.Error()
			} else {
				got = d.Client.Status().String()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTheIDOfADocument(t *testing.T) {
	const plain = `{"resourceType":"ClientApplication"}`
	for sentence, c := range map[string]struct{ file, text, want string }{
		"from the file":                       {"dir/a.b-C.json", plain, "a.b-C"},
		"in the document":                     {"x.json", `{"resourceType":"ClientApplication","id":"y"}`, "y"},
		"of 64 characters":                    {strings.Repeat("a", 64) + ".json", plain, strings.Repeat("a", 64)},
		"a file's name that is none":          {"a b.json", plain, "a b.json:1: document 1: id: is missing, and the file's name is no client id: 1 to 64 of A-Z a-z 0-9 . -"},
		"a file's name of 65 characters":      {strings.Repeat("a", 65) + ".json", plain, strings.Repeat("a", 65) + ".json:1: document 1: id: is missing, and the file's name is no client id: 1 to 64 of A-Z a-z 0-9 . -"},
		"missing from one of two documents":   {"x.json", plain + plain, "x.json:1: document 1: id: is missing: only a document alone in its file takes the file's name"},
		"one that is no good is not replaced": {"x.json", `{"resourceType":"ClientApplication","id":"a/b"}`, "x.json:1: document 1: id: is no client id: 1 to 64 of A-Z a-z 0-9 . -"},
		"an empty one":                        {"x.json", `{"resourceType":"ClientApplication","id":""}`, "x.json:1: document 1: id: is no client id: 1 to 64 of A-Z a-z 0-9 . -"},
		"without a resourceType":              {"x.json", `{"id":"y"}`, "x.json:1: document 1 (client y): resourceType: is missing: a document is a ClientApplication"},
		"of another resource":                 {"x.json", `{"resourceType":"Patient","id":"y"}`, "x.json:1: document 1 (client y): resourceType: is not ClientApplication"},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile(c.file, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			d := documents[0]
			got := d.ID
			if d.Fault != nil {
				got = d.Fault.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if d.ID != "" && !policies.ValidID(d.ID) {
				t.Errorf("the id %q is none", d.ID)
			}
		})
	}
}

func manyMembers(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, `,"_%d":1`, i)
	}
	return text.String()
}

func TestABrokenDocumentStillSaysItsIDAndStatus(t *testing.T) {
	for sentence, text := range map[string]string{
		"an unknown field":                 `{"resourceType":"ClientApplication","id":"lab","status":"off","x":1}`,
		"a trust store that is none":       `{"resourceType":"ClientApplication","certificateTrustStore":"x","id":"lab","status":"off"}`,
		"a member twice":                   `{"name":"a","name":"b","resourceType":"ClientApplication","id":"lab","status":"off"}`,
		"a member twice within a Bundle":   `{"resourceType":"Bundle","entry":[{"resource":{"name":"a","name":"b","resourceType":"ClientApplication","id":"lab","status":"off"}}]}`,
		"off and, in other letters, on":    `{"resourceType":"ClientApplication","id":"lab","status":"off","Status":"active"}`,
		"off and, a second time, on":       `{"resourceType":"ClientApplication","id":"lab","status":"off","status":"active"}`,
		"a syntax error behind the status": `{"resourceType":"ClientApplication","id":"lab","status":"off",,}`,
		"on and, a second time, off":       `{"resourceType":"ClientApplication","id":"lab","status":"active","status":"off"}`,
		"on and, in other letters, off":    `{"resourceType":"ClientApplication","id":"lab","status":"active","STATUS":"off"}`,
		"on, in error and off":             `{"resourceType":"ClientApplication","id":"lab","status":"active","status":"off","status":"error"}`,
		"a status in other letters":        `{"resourceType":"ClientApplication","id":"lab","status":"Off"}`,
		"a status that is no word":         `{"resourceType":"ClientApplication","id":"lab","status":"of"}`,
		"a status without quotes":          `{"resourceType":"ClientApplication","id":"lab","status":off}`,
		"a status that is false":           `{"resourceType":"ClientApplication","id":"lab","status":false}`,
		"a status that is nothing":         `{"resourceType":"ClientApplication","id":"lab","status":null}`,
		"a status that is a list":          `{"resourceType":"ClientApplication","id":"lab","status":["active"]}`,
		"off behind 500 members":           `{"resourceType":"ClientApplication","id":"lab"` + manyMembers(500) + `,"status":"off"}`,
		"YAML: on and, a second time, off": "resourceType: ClientApplication\nid: lab\nstatus: active\nstatus: off\n",
		"YAML: false":                      "resourceType: ClientApplication\nid: lab\nstatus: false\n",
		"YAML: Off":                        "resourceType: ClientApplication\nid: lab\nstatus: Off\n",
		"YAML: OFF":                        "resourceType: ClientApplication\nid: lab\nstatus: OFF\n",
		"YAML: no":                         "resourceType: ClientApplication\nid: lab\nstatus: no\n",
		"YAML: nothing":                    "resourceType: ClientApplication\nid: lab\nstatus:\n",
		"YAML: an alias":                   "resourceType: ClientApplication\nid: lab\nname: &on active\nstatus: *on\n",
		"YAML: a tag":                      "resourceType: ClientApplication\nid: lab\nstatus: !x active\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			file := "x.json"
			if strings.HasPrefix(sentence, "YAML") {
				file = "x.yaml"
			}
			documents, _ := policies.ParseFile(file, []byte(text))
			if len(documents) != 1 {
				t.Fatalf("%d documents", len(documents))
			}
			d := documents[0]
			if d.Fault == nil || d.Client != nil || d.ID != "lab" || !d.HasStatus || d.Status != policies.StatusOff {
				t.Errorf("id %q, status %s (%t), fault %v", d.ID, d.Status, d.HasStatus, d.Fault)
			}
		})
	}
}

func TestTheFaultOfADocumentInABundleHasTheLineOfTheFile(t *testing.T) {
	const text = `{
 "resourceType": "Bundle",
 "entry":
 [
  {"resource": {"resourceType": "ClientApplication", "id": "a"}},
  {
   "Resource": {},
   "resource":
   {
    "resourceType": "ClientApplication",
    "id": "b",
    "nam": "x"
   }
  },
  {"fullUrl": "x"},
  5
 ]
}`
	documents, err := policies.ParseFile("f.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range documents {
		if d.Fault != nil {
			got = append(got, d.Fault.Error())
		} else {
			got = append(got, d.ID)
		}
	}
	want := []string{
		"a",
		"f.json:12: document 2 (client b): nam: is no field of a ClientApplication",
		"f.json:15: document 3: resource: is missing in the entry of the Bundle",
		"f.json:16: document 4: is not an object",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestTheLifetimeOfTokens(t *testing.T) {
	for text, c := range map[string]struct {
		want    time.Duration
		warning string
	}{
		"60s": {time.Minute, ""}, "1m": {time.Minute, ""}, "90m": {90 * time.Minute, ""}, "1h": {time.Hour, ""},
		"24h": {24 * time.Hour, ""}, "1d": {24 * time.Hour, ""}, "0060s": {time.Minute, ""}, "86400s": {24 * time.Hour, ""},
		"86401s":                {24 * time.Hour, "86401s is longer than 24h0m0s, which is used"},
		"2d":                    {24 * time.Hour, "2d is longer than 24h0m0s, which is used"},
		"1w":                    {24 * time.Hour, "1w is longer than 24h0m0s, which is used"},
		"1y":                    {24 * time.Hour, "1y is longer than 24h0m0s, which is used"},
		"9223372036854775807s":  {24 * time.Hour, "9223372036854775807s is longer than 24h0m0s, which is used"},
		"18446744073709551616s": {24 * time.Hour, "18446744073709551616s is longer than 24h0m0s, which is used"},
		"99999999999999999999y": {24 * time.Hour, "99999999999999999999y is longer than 24h0m0s, which is used"},
	} {
		t.Run(text, func(t *testing.T) {
			documents, err := policies.ParseFile("f.json", documentJSON(t, fields{"accessTokenLifetime": text}))
			if err != nil || documents[0].Fault != nil {
				t.Fatal(err, documents[0].Fault)
			}
			if got := documents[0].Client.AccessTokenLifetime(); got != c.want {
				t.Errorf("lifetime %s, want %s", got, c.want)
			}
			var warnings []string
			for _, w := range documents[0].Warnings {
				warnings = append(warnings, w.Error())
			}
			var want []string
			if c.warning != "" {
				want = []string{"f.json:1: document 1 (client f): accessTokenLifetime: " + c.warning}
			}
			if diff := cmp.Diff(want, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{"", "s", "h1", "1", "-1h", "+1h", "1.5h", "1 h", "1H", "1hh", "١h", "0s", "59s", "0y", strings.Repeat("9", 64) + "y"} {
		t.Run("refused: "+text, func(t *testing.T) {
			documents, err := policies.ParseFile("f.json", documentJSON(t, fields{"accessTokenLifetime": text}))
			if err != nil || documents[0].Fault == nil || documents[0].Fault.Field != "accessTokenLifetime" {
				t.Errorf("%v, %v", documents[0].Fault, err)
			}
		})
	}
}

// A secret may stand anywhere in a document that a person wrote by hand.
func TestNoErrorShowsASecret(t *testing.T) {
	const secret = "Xk9_s3cret"
	quoted := `"` + secret + `"`
	members := []string{
		`"secret": [` + quoted + `]`, `"secret": {"value": ` + quoted + `}`, `"secret": ` + quoted + `, "secret": ` + quoted,
		`"clientSecret": ` + quoted, `"Secret": ` + quoted, `"secret": ` + secret, quoted + `: 1`, `"secret" ` + quoted, `"secret": "` + secret,
		`"pkceOptional": ` + quoted, `"meta": ` + quoted, `"extension": ` + quoted, `"redirectUris": ` + quoted,
		`"tlsClientAuth": {` + quoted + `: "a"}`, `"tlsClientAuth": ` + quoted,
		`"certificateTrustStore": "-----BEGIN PRIVATE KEY-----\n` + secret + `\n-----END PRIVATE KEY-----"`,
	}
	for _, field := range []string{"status", "resourceType", "id", "tokenEndpointAuthMethod", "certificateTrustStore", "accessTokenLifetime", "mode", "revocation"} {
		members = append(members, `"`+field+`": `+quoted)
	}
	for _, value := range []string{`{"mode": ` + quoted + `}`, `{` + quoted + `: 1}`, `{"mode": "hard", "locations": [` + quoted + `]}`, `{"mode": "hard", "hosts": ["` + secret + `!"]}`} {
		members = append(members, `"revocation": `+value)
	}
	for _, field := range []string{"scope", "defaultScope", "audience"} {
		members = append(members, `"`+field+`": `+quoted, `"`+field+`": ["a b", "`+secret+` x"]`, `"`+field+`": ["`+secret+` x"]`)
	}
	for _, field := range []string{"subjectDn", "sanDns", "sanUri", "sanIp", "sanEmail"} {
		members = append(members, `"tlsClientAuth": {"`+field+`": "*`+secret+`="}`)
	}
	for _, member := range members {
		t.Run(member, func(t *testing.T) {
			documents, err := policies.ParseFile("f.json", []byte(`{`+member+`, "x": 1}`))
			mustRefuseWithout(t, secret, documents, err)
		})
	}
	for _, line := range []string{
		"secret: *" + secret, "secret: &" + secret + " [", "secret: !" + secret + " x", "secret: !!" + secret + " x", "secret: !!int " + secret, "secret: !!bool " + secret, "secret: !!binary " + secret,
		"secret: [" + secret + "]", "secret: '" + secret, "secret: \"" + secret + "\\q\"", "secret: " + secret + ": x", "secret: @" + secret, "secret: `" + secret,
		secret + ": x", secret, "- " + secret, "? " + secret, "secret:\n" + secret + "\nname: x", "%" + secret, "secret: |x" + secret, "status: " + secret,
	} {
		t.Run(line, func(t *testing.T) {
			documents, err := policies.ParseFile("f.yaml", []byte(line+"\n"))
			mustRefuseWithout(t, secret, documents, err)
		})
	}
}

func mustRefuseWithout(t *testing.T, secret string, documents []policies.Document, err error) {
	t.Helper()
	refused := err != nil
	texts := []string{fmt.Sprint(err)}
	for _, d := range documents {
		refused = refused || d.Fault != nil
		texts = append(texts, fmt.Sprint(d.Fault))
	}
	if !refused {
		t.Error("accepted")
	}
	for _, text := range texts {
		if strings.Contains(text, secret) {
			t.Errorf("shown: %s", text)
		}
	}
}

func TestScopesNarrowToTheClients(t *testing.T) {
	for sentence, c := range map[string]struct {
		of    fields
		route []string
		want  []string
	}{
		"the route's, as far as they are the client's": {fields{"scope": []string{"a", "b"}}, []string{"b", "c"}, []string{"b"}},
		"none in common":                         {fields{"scope": []string{"a"}}, []string{"c"}, nil},
		"the default where the route names none": {fields{"scope": []string{"a", "b"}, "defaultScope": []string{"a"}}, nil, []string{"a"}},
		"the default alone":                      {fields{"defaultScope": []string{"a"}}, []string{"a", "b"}, []string{"a"}},
		"a client without scopes has none":       {fields{}, []string{"a", "b"}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(c.want, client(t, "a", c.of).NarrowScope(c.route)); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheAudiencesOfAClient(t *testing.T) {
	listed := client(t, "a", fields{"audience": []string{"https://a", "https://b"}})
	unlisted := client(t, "b", fields{})
	for sentence, c := range map[string]struct {
		client   *policies.Client
		audience string
		want     bool
	}{
		"one of its own":                      {listed, "https://b", true},
		"the default, which it does not list": {listed, "https://default", false},
		"the default, where it lists none":    {unlisted, "https://default", true},
		"another one, where it lists none":    {unlisted, "https://a", false},
	} {
		if got := c.client.MayHave(c.audience, "https://default"); got != c.want {
			t.Errorf("%s: %t, want %t", sentence, got, c.want)
		}
	}
}

func TestTheWishForBoundTokensIsFulfilledAndNoOther(t *testing.T) {
	for value, want := range map[string]string{
		"true":   "",
		"false":  "is false, and every token is bound to its client's certificate: leave it out",
		`"true"`: "is neither true nor false",
		"null":   "is neither true nor false",
	} {
		documents, err := policies.ParseFile("a.json", documentJSON(t, fields{"tlsClientCertificateBoundAccessTokens": json.RawMessage(value)}))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if fault := documents[0].Fault; fault != nil {
			got = fault.Problem
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

func TestTheModeOfAClient(t *testing.T) {
	for name, test := range map[string]struct {
		document fields
		want     policies.Mode
	}{
		"a document that says none leaves it to the route": {fields{}, policies.ModeUnsaid},
		"enforce": {fields{"mode": "enforce"}, policies.ModeEnforce},
		"shadow":  {fields{"mode": "shadow"}, policies.ModeShadow},
		"shadow ends when the client is turned off": {fields{"mode": "shadow", "status": "off"}, policies.ModeUnsaid},
		"and when its status is error":              {fields{"mode": "shadow", "status": "error"}, policies.ModeUnsaid},
	} {
		t.Run(name, func(t *testing.T) {
			if got := client(t, "lab", test.document).Mode(); got != test.want {
				t.Errorf("the mode is %q, want %q", got, test.want)
			}
		})
	}
}

func TestClientsInShadowAreCountedAsTheyComeAndGo(t *testing.T) {
	builder := policies.Empty(policies.Options{}).Edit()
	for id, mode := range map[string]string{"a": "shadow", "b": "shadow", "c": "enforce"} {
		builder.Put(client(t, id, fields{"mode": mode}))
	}
	builder.Put(client(t, "d", fields{}))
	first := builder.Snapshot()
	builder = first.Edit()
	builder.TurnOff("a")
	builder.Put(client(t, "b", fields{"mode": "enforce"}))
	builder.Remove("c")
	second := builder.Snapshot()
	for name, test := range map[string]struct {
		snapshot         *policies.Snapshot
		shadow, withMode int
	}{"before": {first, 2, 3}, "after": {second, 0, 1}} {
		if test.snapshot.InShadow() != test.shadow || test.snapshot.WithMode() != test.withMode {
			t.Errorf("%s: %d in shadow, %d with a mode", name, test.snapshot.InShadow(), test.snapshot.WithMode())
		}
	}
}
