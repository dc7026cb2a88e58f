package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
)

// refusal is a file and what must be said of it, a line each, after "c.yaml:".
type refusal struct {
	yaml string
	want string
}

// more is minimal, three lines, and what begins on line 4.
func more(text string) string { return minimal + text + "\n" }

// instead is minimal with one part replaced.
func instead(old, new string) string { return strings.Replace(minimal, old, new, 1) }

const (
	socket   = `"unix:/run/certbearer/extauthz.sock"`
	issuer   = "https://gateway.example.com"
	audience = "https://api.example.com"

	ourselves = "is the issuer or one of its endpoints; name the service behind the gateway"
)

func checkRefusals(t *testing.T, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := config.Parse("c.yaml", []byte(c.yaml), baseDir)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if got != nil {
				t.Errorf("a configuration besides the error: %+v", got)
			}
			want := "c.yaml:" + strings.ReplaceAll(c.want, "\n", "\nc.yaml:")
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoNameInAClusterIsRefused(t *testing.T) {
	checkRefusals(t, map[string]refusal{
		"a namespace with a dot": {
			more("istio: {namespace: a.b}"), `4: istio.namespace: want a name of lower-case letters, digits and hyphens, got "a.b"`},
		"an image with a space": {
			more("istio: {image: a b}"), `4: istio.image: want a container image such as registry.example/certbearer:1.0, got "a b"`},
		"a trust domain with a scheme": {
			more("istio: {trustDomain: spiffe://mesh}"), `4: istio.trustDomain: want a lower-case DNS name, got "spiffe://mesh"`},
		"a host with a port": {
			more("istio: {hosts: [a.example:443]}"), `4: istio.hosts[0]: want "*", "*.example.com" or a lower-case name without a port, got "a.example:443"`},
		"labels without values": {
			more("istio: {gateway: {selector: istio}}"), `4: istio.gateway.selector: want key=value, several with commas between them, got "istio"`},
		"no labels at all, which would be every pod": {
			more(`istio: {gateway: {selector: ""}}`), `4: istio.gateway.selector: want key=value, several with commas between them, got ""`},
	})
}

func TestWhatCannotBeFetchedBySoIsRefused(t *testing.T) {
	allow := func(item string) string { return more("revocation: {allow: [{" + item + "}]}") }
	checkRefusals(t, map[string]refusal{
		"nearly every address": {
			allow("addresses: [0.0.0.0/0]"),
			`4: revocation.allow[0].addresses[0]: "0.0.0.0/0" is wider than /8: whoever writes a location could have nearly anything connected to; list the addresses of your CA`},
		"a host name, which anybody may lead anywhere": {
			allow("addresses: [ca.internal]"), `4: revocation.allow[0].addresses[0]: want an IP address or a network such as 10.0.1.0/24, got "ca.internal"`},
		"an IPv4 address as IPv6": {
			allow(`addresses: ["::ffff:10.0.0.1"]`), "4: revocation.allow[0].addresses[0]: write the IPv4 address itself, without ::ffff: before it"},
		"no address":              {allow("addresses: []"), "4: revocation.allow[0].addresses: must not be empty: it would allow nothing"},
		"no port":                 {allow("addresses: [10.0.0.1], ports: []"), "4: revocation.allow[0].ports: must not be empty: it would allow nothing"},
		"a port that is none":     {allow("addresses: [10.0.0.1], ports: [0]"), "4: revocation.allow[0].ports[0]: want a whole number of 1 to 65535, got \"0\""},
		"a port in quotes":        {allow(`addresses: [10.0.0.1], ports: ["80"]`), "4: revocation.allow[0].ports[0]: want a whole number, got text"},
		"a port twice":            {allow("addresses: [10.0.0.1], ports: [80, 80]"), "4: revocation.allow[0].ports[1]: 80 stands twice"},
		"a key of something else": {allow("addresses: [10.0.0.1], port: 80"), "4: revocation.allow[0].port: unknown key (did you mean ports?)"},
		"too many items":          {more("revocation: {allow: " + many("{addresses: [10.0.0.%d]}", 65) + "}"), "4: revocation.allow: more than 64 items"},
		"too many addresses":      {allow("addresses: " + many("10.0.0.%d", 65)), "4: revocation.allow[0].addresses: more than 64 items"},
		"a refresh without end":   {more("revocation: {refresh: 25h}"), `4: revocation.refresh: want 1s to 24h, got "25h"`},
		"a refresh all the time":  {more("revocation: {refresh: 500ms}"), `4: revocation.refresh: want 1s to 24h, got "500ms"`},
		"a quota of nothing":      {more("revocation: {quota: 0}"), "4: revocation.quota: want a whole number of 1 to 1048576, got \"0\""},
		"a wait as long as Envoy's": {
			more("revocation: {wait: 500ms}"), "4: revocation.wait: 500ms is not less than envoy.timeout, which is 500ms: Envoy would refuse before the answer comes"},
		"a wait longer than Envoy's": {
			more("revocation: {wait: 90ms}\nenvoy: {timeout: 80ms}"), "4: revocation.wait: 90ms is not less than envoy.timeout, which is 80ms: Envoy would refuse before the answer comes"},
	})
}

// What stands in the wrong place is told where it belongs.
func TestWhatBelongsElsewhereIsTold(t *testing.T) {
	const into = " into the client's document, in the folder clients.directory"
	own := func(field string) string { return "unknown key; each client has its own: write " + field + into }
	checkRefusals(t, map[string]refusal{
		"the mode of revocation, which is each client's": {
			more("revocation: {mode: hard}"), "4: revocation.mode: " + own("revocation with its mode")},
		"in capitals":                     {more("revocation: {Mode: hard}"), "4: revocation.Mode: " + own("revocation with its mode")},
		"its locations":                   {more("revocation: {locations: [a]}"), "4: revocation.locations: " + own("revocation with its locations")},
		"its hosts":                       {more("revocation: {hosts: [a]}"), "4: revocation.hosts: " + own("revocation with its hosts")},
		"under the name of another thing": {more("revocations: {mode: hard}"), "4: revocations.mode: " + own("revocation with its mode")},
		"revocation of clients":           {more("clients: {revocation: hard}"), "4: clients.revocation: " + own("revocation with its mode")},
		"revocation of a route":           {more("routes: [{name: a, revocation: hard}]"), "4: routes[0].revocation: " + own("revocation with its mode")},
		"a mode in place of the whole": {
			more("revocation: soft"), "4: revocation: want a mapping such as {directory: crls}, got text; each client has its own: write revocation with its mode" + into},
		"where lists are kept, among our own tokens": {more("revocations: {directory: x}"),
			"4: revocations.directory: unknown key; revocations is about tokens of our own; for certificates that a CA has revoked write revocation.directory"},
		"revoked tokens, among certificates": {more("revocation: {file: x}"),
			"4: revocation.file: unknown key; revocation is about certificates; for revoked tokens of our own write revocations.file"},
		"revocation by another name": {more("crls: {directory: x}"), "4: crls: unknown key; for certificates that a CA has revoked write revocation"},
		"an address in place of an item": {more("revocation: {allow: [10.0.0.7]}"),
			"4: revocation.allow[0]: want a mapping such as {addresses: [10.0.0.7], ports: [80]}, got text"},
		"the profile of certificates": {more("profile: compatible"),
			`4: profile: want none or fapi2, got "compatible"; for what form certificates must have, each client has its own: write certificateProfile` + into},
		"a field of documents":                         {more("spiffe: {trustDomain: a}"), "4: spiffe: " + own("spiffe")},
		"a field of documents, within a section":       {more("clients: {certificateProfile: strict}"), "4: clients.certificateProfile: " + own("certificateProfile")},
		"a field's name where nothing is a client's":   {more("envoy: {status: 503}"), "4: envoy.status: unknown key"},
		"a field of documents in another spelling":     {more("certificate_policies: [1.2.3]"), "4: certificate_policies: " + own("certificatePolicies")},
		"a key of this file in another spelling":       {more("limits: {token_cache_entries: 1}"), "4: limits.token_cache_entries: unknown key (did you mean tokenCacheEntries?)"},
		"a key of this file that is a field's as well": {more("mode: hard"), `4: mode: want enforce or shadow, got "hard"`},
	})
}

func TestStructureIsRefused(t *testing.T) {
	checkRefusals(t, map[string]refusal{
		"an unknown key, with the one that was meant": {
			more("clients:\n  directroy: x"), "5: clients.directroy: unknown key (did you mean directory?)"},
		"an unknown key that is like none": {
			more("gateways: []"), "4: gateways: unknown key"},
		"an unknown way to hand a certificate on": {
			more("inject: {clientCert: xfcc}\nroutes: [{name: a, inject: {clientCert: RFC9440}}]"),
			"4: inject.clientCert: want none or rfc9440, got \"xfcc\"\n" +
				"5: routes[0].inject.clientCert: want none or rfc9440, got \"RFC9440\""},
		"an unknown key within a route": {
			more("routes:\n- name: a\n  match:\n    hots: x"), "7: routes[0].match.hots: unknown key (did you mean host?)"},
		"a key in other capitals": {
			more("callers: {certificate: a, key: b, trustedCa: c, sans: [d]}"),
			"4: callers.trustedCA: required\n" +
				"4: callers.trustedCa: unknown key (did you mean trustedCA?)\n" +
				"4: callers: has no meaning with a Unix socket, whose file mode says who may call; remove it"},
		"a key given twice": {
			more("log: {level: info}\nlog: {level: debug}"), "5: log: given twice, first on line 4"},
		"an alias of an anchor": {
			more("log: &a {level: info}\naudit: *a"),
			"4: log: an anchor, which is not accepted; put a value that begins with & in quotes\n" +
				"5: audit: an alias, which is not accepted; put a value that begins with * in quotes"},
		"a pattern without quotes, which YAML takes for an alias": {
			more("routes:\n- name: a\n  match: {host: *.example.com}"),
			"6: an alias, which is not accepted; put a value that begins with * in quotes"},
		"a lone star without quotes": {
			more("routes: [{name: a, match: {host: * }}]"),
			"4: an alias, which is not accepted; put a value that begins with * in quotes"},
		"a tag": {
			more("log: {level: !!str info}"), "4: log.level: a tag, which is not accepted; put a value that begins with ! in quotes"},
		"a merge key": {
			more("log: {<<: {level: info}}"), "4: log: a key is a merge (<<); keys are names"},
		"a key that is a list": {
			more("? [a]\n: b"), "4: a key is a list; keys are names"},
		"a key that is not a plain name is quoted": {
			more("\"a\\u001b[2J\": b"), "4: a key is a line break, tab or other character that cannot be printed"},
		"a long key is cut": {
			more(strings.Repeat("é ", 40) + ": b"), `4: "é é é é é é é é é é é é é é é é é é é é é "…: unknown key`},
		"a list where a mapping belongs": {
			more("clients: [a]"), "4: clients: want a mapping, got a list"},
		"a section without a value": {
			more("clients:"), "4: clients: want a mapping, got nothing"},
		"a key without a value": {
			more("log:\n  level:"), "5: log.level: has no value; give one or remove the key"},
		"a number where text belongs": {
			more("routes: [{name: 12}]"), "4: routes[0].name: want text, got a number (put it in quotes)"},
		"a date where text belongs": {
			more("routes: [{name: 2026-01-01}]"), "4: routes[0].name: want text, got a date (put it in quotes)"},
		"a mapping where a list belongs": {
			more("routes: {name: a}"), "4: routes: want a list, got a mapping"},
		"a word where true or false belongs": {
			more("clients: {strict: yes}"), "4: clients.strict: want true or false, got text"},
		"true in capitals": {
			more("clients: {strict: TRUE}"), `4: clients.strict: want true or false, got "TRUE"`},
		"a number with a point": {
			more("limits: {inFlight: 1.5}"), "4: limits.inFlight: want a whole number, got a number"},
		"a number in octal": {
			more("limits: {inFlight: 0100}"), `4: limits.inFlight: want a whole number of 1 to 1000000, got "0100"`},
		"a number that does not fit": {
			more("limits: {inFlight: 18446744073709551617}"), "4: limits.inFlight: want a whole number, got a number"},
		"a file without a mapping":      {"- a", "1: want a mapping, got a list"},
		"a file in UTF-16":              {"\xff\xfea\x00:\x00 \x001\x00", " not UTF-8 text"},
		"a file of nothing":             {"", "1: the file is empty"},
		"a file of comments":            {"# issuer: x\n", "1: the file is empty"},
		"a second document":             {more("---\nissuer: x"), "4: a second YAML document; the file must hold one"},
		"a second document that breaks": {more("---\na: [b\nc: d"), "4: not YAML: did not find expected ',' or ']'"},
		"no YAML":                       {"issuer: \"x\n", "2: not YAML: found unexpected end of stream"},
		"nesting without end": {more("log: {level: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}"), "4: log.level[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested too deeply\n" +
			"4: log.level: want text, got a list"},
		"a value over several lines": {more("log:\n  level: |\n    info\n"), "5: log.level: a line break, tab or other character that cannot be printed"},
		"a value of many bytes":      {more("audit: {to: " + strings.Repeat("x", 5000) + "}"), "4: audit.to: longer than 4096 bytes"},
		"a list of many items":       {more("routes: [{name: a, scope: [" + strings.Repeat("a,", 1001) + "]}]"), "4: routes[0].scope: more than 1000 items"},
	})
}

func TestValuesAreRefused(t *testing.T) {
	checkRefusals(t, map[string]refusal{
		"no issuer":                      {instead("issuer: "+issuer+"\n", ""), "1: issuer: required"},
		"an issuer over http":            {instead(issuer, "http://gateway.example.com"), "1: issuer: want an https URL such as https://gateway.example.com"},
		"an issuer in capital HTTPS":     {instead(issuer, "HTTPS://gateway.example.com"), "1: issuer: want an https URL such as https://gateway.example.com"},
		"an issuer without a host":       {instead(issuer, "https:///a"), "1: issuer: want an https URL such as https://gateway.example.com"},
		"an issuer with an empty port":   {instead(issuer, "\"https://a:\""), "1: issuer: want an https URL such as https://gateway.example.com"},
		"an issuer with a large port":    {instead(issuer, "https://a:65536"), "1: issuer: want an https URL such as https://gateway.example.com"},
		"an issuer with a query":         {instead(issuer, "https://a/?"), "1: issuer: an issuer has no user information, query or fragment"},
		"an issuer with a fragment":      {instead(issuer, "\"https://a/#\""), "1: issuer: an issuer has no user information, query or fragment"},
		"an issuer with a user":          {instead(issuer, "https://u@a"), "1: issuer: an issuer has no user information, query or fragment"},
		"an issuer with a space":         {instead(issuer, "https://a/b c"), "1: issuer: want an https URL such as https://gateway.example.com"},
		"an issuer with dots in it":      {instead(issuer, "https://a/../b"), "1: issuer: want a path without empty, . or .. segments"},
		"no audience":                    {instead("audience: "+audience+"\n", ""), `1: audience: required, because route "default" names none`},
		"a relative audience":            {instead(audience, "/api"), "2: audience: want an absolute URI such as https://api.example.com"},
		"an audience with a fragment":    {instead(audience, "\"https://a#b\""), "2: audience: an audience has no user information or fragment"},
		"an audience with a user":        {instead(audience, "https://u:p@a"), "2: audience: an audience has no user information or fragment"},
		"an audience without a host":     {instead(audience, "https:a"), "2: audience: want an absolute URI such as https://api.example.com"},
		"the issuer as audience":         {instead(audience, issuer), "2: audience: " + ourselves},
		"the issuer in another spelling": {instead(audience, "https://GATEWAY.example.com:443/a/..//"), "2: audience: " + ourselves},
		"the token endpoint as audience": {instead(audience, issuer+"/oauth2/token"), "2: audience: " + ourselves},
		"the introspection endpoint":     {instead(audience, issuer+"/oauth2/introspect/"), "2: audience: " + ourselves},
		"the revocation endpoint":        {instead(audience, issuer+"/oauth2/%72evoke?a=b"), "2: audience: " + ourselves},
		"the token endpoint of an issuer with a slash": {
			"issuer: https://a/b/\naudience: https://a/b/oauth2/token\nlisten: {grpc: " + socket + "}", "2: audience: " + ourselves},
		"an address of another spelling": {
			"issuer: \"https://[0:0::1]\"\naudience: \"https://[::1]/oauth2/token\"\nlisten: {grpc: " + socket + "}", "2: audience: " + ourselves},
		"another mode":             {more("mode: off"), `4: mode: want enforce or shadow, got "off"`},
		"a profile and a way past": {more("profile: fapi2\nenvoy: {withoutCertificate: legacy}"), "4: profile: fapi2: envoy.withoutCertificate: want deny: who has no certificate does not pass"},
		"a way past for nobody": {more("envoy: {withoutCertificate: legacy, clientCertificate: required}"),
			"4: envoy.withoutCertificate: legacy has no meaning with envoy.clientCertificate: required, which lets nobody in without a certificate"},
		"a way past behind a proxy": {more("certificate: {from: xfcc, hops: 2}\nenvoy: {withoutCertificate: legacy}"),
			"5: envoy.withoutCertificate: legacy has no meaning with certificate.hops above 1: the proxy in front has a certificate on every connection"},
		"an old upstream that nothing leads to":   {more("envoy: {legacyUpstream: \"http://old:80\"}"), "4: envoy.legacyUpstream: has meaning only with envoy.withoutCertificate: legacy"},
		"a CA of one":                             {more("envoy: {legacyUpstreamCA: a.pem}"), "4: envoy.legacyUpstreamCA: has meaning only with envoy.withoutCertificate: legacy"},
		"another word for who has no certificate": {more("envoy: {withoutCertificate: allow}"), `4: envoy.withoutCertificate: want deny or legacy, got "allow"`},
		"a profile and shadow":                    {more("profile: fapi2\nmode: shadow"), "4: profile: fapi2: mode: want enforce: what is refused does not pass"},
		"a profile and a route in shadow":         {more("profile: fapi2\nroutes: [{name: a, mode: shadow}]"), "4: profile: fapi2: route a: mode: want enforce: what is refused does not pass"},
		"an empty path":                           {more("clients: {directory: \"\"}"), "4: clients.directory: must not be empty"},
		"another rule for shared anchors":         {more("clients: {sharedAnchors: maybe}"), `4: clients.sharedAnchors: want refuse or allow, got "maybe"`},
		"an algorithm that is not offered":        {more("keys: {algorithm: RS384}"), `4: keys.algorithm: want ES256, ES384, PS256, RS256 or EdDSA, got "RS384"`},
		"no algorithm":                            {more("keys: {algorithm: none}"), `4: keys.algorithm: want ES256, ES384, PS256, RS256 or EdDSA, got "none"`},
		"keys that follow too fast":               {more("keys: {publishAhead: 1h, rotateEvery: 119m59s}"), "4: keys.rotateEvery: 1h59m59s is less than twice keys.publishAhead, which is 1h; 0s is for never"},
		"a rotation in no unit":                   {more("keys: {rotateEvery: 90}"), "4: keys.rotateEvery: want a duration such as 500ms or 5m, got a number"},
		"a rotation below zero":                   {more("keys: {rotateEvery: -1h}"), `4: keys.rotateEvery: want 0s to 87600h, got "-1h"`},
		"a duration without a unit":               {more("keys: {publishAhead: 3600}"), "4: keys.publishAhead: want a duration such as 500ms or 5m, got a number"},
		"a duration that is none":                 {more("keys: {publishAhead: 1 hour}"), `4: keys.publishAhead: want a duration such as 500ms or 5m, got "1 hour"`},
		"a duration too short":                    {more("injectedTokenLifetime: 9s"), `4: injectedTokenLifetime: want 10s to 1h, got "9s"`},
		"a duration too long":                     {more("injectedTokenLifetime: 1h0m1s"), `4: injectedTokenLifetime: want 10s to 1h, got "1h0m1s"`},
		"a duration below zero":                   {more("envoy: {timeout: -500ms}"), `4: envoy.timeout: want 10ms to 10s, got "-500ms"`},
		"an unknown source of certificates":       {more("certificate: {from: client-certs}"), `4: certificate.from: want peer, xfcc or header, got "client-certs"`},
		"too many hops":                           {more("certificate: {hops: 11}"), `4: certificate.hops: want a whole number of 0 to 10, got "11"`},
		"hops below zero":                         {more("certificate: {hops: -1}"), `4: certificate.hops: want a whole number of 0 to 10, got "-1"`},
		"passing foreign tokens everywhere":       {more("inboundAuthorization: pass"), "4: inboundAuthorization: pass is for single routes: write it where it is wanted"},
		"an unknown inboundAuthorization":         {more("inboundAuthorization: trust"), `4: inboundAuthorization: want verify, reject or replace, got "trust"`},
		"an origin with a path":                   {more("mtlsOrigin: https://mtls.example.com/a"), "4: mtlsOrigin: want an origin such as https://mtls.gateway.example.com, without a path"},
		"an origin without TLS":                   {more("mtlsOrigin: http://mtls.example.com"), "4: mtlsOrigin: want an origin such as https://mtls.gateway.example.com, without a path"},
		"compatibility with somebody else":        {more("compatibility: okta"), `4: compatibility: want none or medplum, got "okta"`},
		"an unknown profile":                      {more("profile: fapi1"), `4: profile: want none or fapi2, got "fapi1"`},
		"a profile and secrets":                   {more("profile: fapi2\ncompatibility: medplum"), "4: profile: fapi2: compatibility: want none: clients have no secrets"},
		"a profile and unbound tokens":            {more("profile: fapi2\ninject: {bind: none}"), "4: profile: fapi2: route default: inject.bind: want cnf: every token is bound"},
		"a profile and shared CAs":                {more("profile: fapi2\nclients: {sharedAnchors: allow}"), "4: profile: fapi2: clients.sharedAnchors: want refuse: clients are told apart by their subject"},
		"a profile and foreign tokens":            {more("profile: fapi2\nroutes: [{name: a, inboundAuthorization: pass}]"), "4: profile: fapi2: route a: inboundAuthorization: want verify, reject or replace: only bound tokens pass"},
		"a public listener and no origin":         {instead("{grpc", "{http: \"unix:/h\", grpc") + "envoy: {publicListen: \"127.0.0.1:8444\"}\n", "4: envoy.publicListen: needs mtlsOrigin: the origin under which clients reach the listener that asks for certificates"},
		"a public listener at the mTLS origin":    {instead("{grpc", "{http: \"unix:/h\", grpc") + "mtlsOrigin: " + issuer + ":443\nenvoy: {publicListen: \"127.0.0.1:8444\"}\n", "5: envoy.publicListen: needs an mtlsOrigin that is not the issuer's: there Envoy asks for certificates, here it does not"},
		"a public listener of nothing":            {more("mtlsOrigin: https://m.example\nenvoy: {publicListen: \"127.0.0.1:8444\"}"), "5: envoy.publicListen: needs metadata and keys to serve; set listen.http"},
		"a TLS listener without a key":            {instead("{grpc", "{tls: {address: \"127.0.0.1:1\", certificate: a}, grpc"), "3: listen.tls.key: required"},
		"a profile and another algorithm":         {more("profile: fapi2\nkeys: {algorithm: RS256}"), "4: profile: fapi2: keys.algorithm: want ES256, PS256 or EdDSA"},
		"a TLS listener where another is":         {instead("{grpc: "+socket, "{grpc: \"127.0.0.1:1\", tls: {address: \"127.0.0.1:1\", certificate: a, key: b}") + "callers: unauthenticated\n", "3: listen.grpc: the same address as listen.tls"},
		"an origin with a query":                  {more("mtlsOrigin: \"https://mtls.example.com?a\""), "4: mtlsOrigin: want an origin such as https://mtls.gateway.example.com, without a path"},
		"a public listener where the other is":    {instead("{grpc", "{http: \"unix:/h\", grpc") + "mtlsOrigin: https://m.example\nenvoy: {listen: \"127.0.0.1:8444\", publicListen: \"127.0.0.1:8444\"}\n", "5: envoy.publicListen: the same address as envoy.listen"},
		"an unknown binding": {more("inject: {bind: yes, typ: at+JWT}"), `4: inject.bind: want cnf or none, got "yes"` + "\n" +
			`4: inject.typ: want at+jwt or JWT, got "at+JWT"`},
		"a limit of none":                       {more("limits: {inFlight: 0}"), `4: limits.inFlight: want a whole number of 1 to 1000000, got "0"`},
		"more tokens of a client than of all":   {more("limits: {tokenCacheEntries: 10}"), "4: limits.tokensPerClient: 64 is more than limits.tokenCacheEntries, which is 10"},
		"an upstream with a path":               {more("envoy: {upstream: \"http://a:80/\"}"), "4: envoy.upstream: want http://host:port, h2c://host:port or https://host:port"},
		"an upstream without a port":            {more("envoy: {upstream: \"http://a\"}"), "4: envoy.upstream: want http://host:port, h2c://host:port or https://host:port"},
		"an upstream with a password":           {more("envoy: {upstream: \"http://u:secret@a:80\"}"), "4: envoy.upstream: want http://host:port, h2c://host:port or https://host:port"},
		"an upstream on port 0":                 {more("envoy: {upstream: \"http://a:0\"}"), "4: envoy.upstream: want http://host:port, h2c://host:port or https://host:port"},
		"an upstream of another scheme":         {more("envoy: {upstream: \"grpc://a:1\"}"), "4: envoy.upstream: want http://host:port, h2c://host:port or https://host:port"},
		"an Envoy on a socket":                  {more("envoy: {listen: \"unix:/a\"}"), `4: envoy.listen: want host:port, got "unix:/a"`},
		"an unknown Envoy":                      {more("envoy:\n  version: \"1.36\""), `5: envoy.version: want 1.37, 1.38, 1.39 or 1.40, got "1.36"`},
		"a version of Envoy that is a number":   {more("envoy: {version: 1.40}"), `4: envoy.version: want text, got a number (put it in quotes)`},
		"an unknown handshake":                  {more("envoy: {clientCertificate: none}"), `4: envoy.clientCertificate: want optional or required, got "none"`},
		"a verifier in Envoy that gets no keys": {more("envoy: {jwtAuthn: true}"), "4: envoy.jwtAuthn: needs the JWKS; set listen.http, or listen.proxies for a gateway in another pod"},
		"an unknown log format and level": {more("log:\n  format: xml\n  level: trace"), `5: log.format: want json or text, got "xml"` + "\n" +
			`6: log.level: want debug, info, warn or error, got "trace"`},
		"an access log named like a word":         {more("envoy: {accessLog: none}"), `4: envoy.accessLog: want stdout, a file path, or "" for none; write ./none for a file of that name`},
		"audit records to nowhere without a word": {more("audit: {to: \"\"}"), "4: audit.to: must not be empty"},
	})
}

func TestListenersAreRefused(t *testing.T) {
	tcp := instead(socket, "127.0.0.1:9191")
	checkRefusals(t, map[string]refusal{
		"no gRPC address":                {instead("{grpc: "+socket+"}", "{http: \"\"}"), "3: listen.grpc: required"},
		"an empty gRPC address":          {instead(socket, "\"\""), `3: listen.grpc: want unix:/path or host:port, got ""`},
		"no addresses at all":            {"issuer: https://a\naudience: https://b", "1: listen.grpc: required"},
		"addresses that are no mapping":  {instead("{grpc: "+socket+"}", "9191"), "3: listen: want a mapping, got a number"},
		"an address without a host":      {instead(socket, "\":9191\""), "3: listen.grpc: want a host before the port; write 127.0.0.1 for this machine or 0.0.0.0 for every network"},
		"an address without a port":      {instead(socket, "localhost"), `3: listen.grpc: want unix:/path or host:port, got "localhost"`},
		"an address with a named port":   {instead(socket, "localhost:http"), `3: listen.grpc: want a port number of 0 to 65535, got "http"`},
		"an address with a large port":   {instead(socket, "localhost:65536"), `3: listen.grpc: want a port number of 0 to 65535, got "65536"`},
		"an address with half a number":  {instead(socket, "\"300.0.0.1:80\""), `3: listen.grpc: "300.0.0.1" is no host name or IP address`},
		"an address with a zone":         {instead(socket, "\"[fe80::1%eth0]:80\""), `3: listen.grpc: "fe80::1%eth0" is no host name or IP address`},
		"an address with another scheme": {instead(socket, "tcp://127.0.0.1:80"), `3: listen.grpc: want unix:/path or host:port, got "tcp://127.0.0.1:80"`},
		"a socket without a path":        {instead(socket, "\"unix:\""), "3: listen.grpc: want unix:/path"},
		"a socket without a file":        {instead(socket, "unix:@certbearer"), "3: listen.grpc: an abstract socket has no file mode to guard it; write unix:/path"},
		"an admin address":               {instead("{grpc", "{admin: \"127.0.0.1:9194\", grpc"), `3: listen.admin: the admin interface is not available in this version; write "" or remove the key`},
		"a listener at a port that another has on every network": {
			instead("{grpc", "{http: \"0.0.0.0:9193\", grpc"), "3: listen.http: the same address as listen.ops"},
		"Envoy at our address": {
			more("envoy: {listen: \"127.0.0.1:9193\"}"), "4: envoy.listen: the same address as listen.ops, which is 127.0.0.1:9193"},
		"Envoy's admin interface at our address": {
			more("envoy: {adminListen: \"[::]:9193\"}"), "4: envoy.adminListen: the same address as listen.ops, which is 127.0.0.1:9193"},
		"Envoy's admin interface at its listener": {
			more("envoy: {adminListen: \"127.0.0.1:8443\"}"), "4: envoy.adminListen: the same address as envoy.listen"},
		"an address that is none to connect to": {
			more("envoy: {grpcAddress: \"0.0.0.0:9191\"}"), `4: envoy.grpcAddress: want the address that is connected to, with its host and port, got "0.0.0.0:9191"`},
		"a port that is none to connect to": {
			more("envoy: {grpcAddress: \"10.0.0.7:0\"}"), `4: envoy.grpcAddress: want the address that is connected to, with its host and port, got "10.0.0.7:0"`},
		"where to reach what is not served": {
			more("envoy: {httpAddress: \"10.0.0.7:80\"}"), "4: envoy.httpAddress: has meaning only with listen.http"},
		"several hops where the last one's certificate is read": {
			more("certificate: {hops: 2}"), "4: certificate.hops: more than 1 needs from: xfcc; source.certificate is that of the last proxy in front, not the client's"},
		"a proxy in front that no hop speaks of": {
			more("envoy: {front: {trustedCA: a, sans: [b]}}"), "4: envoy.front: has meaning only with certificate.hops above 1"},
		"two listeners at one address":    {instead("{grpc", "{http: \"unix:/run/certbearer/./extauthz.sock\", grpc"), "3: listen.http: the same address as listen.grpc"},
		"a listener at a default address": {instead("{grpc", "{http: \"127.0.0.1:9193\", grpc"), "3: listen.http: the same address as listen.ops"},
		"TCP without callers":             {tcp, "3: listen.grpc: a TCP listener needs callers: write callers: {certificate: FILE, key: FILE, trustedCA: FILE, sans: [NAME]}, or callers: unauthenticated to believe whoever can connect"},
		"TCP with callers of another word": {
			tcp + "callers: anyone\n", `4: callers: want unauthenticated or a mapping of certificate, key, trustedCA and sans, got "anyone"`},
		"callers as a list":                   {tcp + "callers: [a]\n", "4: callers: want unauthenticated or a mapping of certificate, key, trustedCA and sans, got a list"},
		"callers without a value":             {tcp + "callers:\n", "4: callers: has no value; give one or remove the key"},
		"callers as a number":                 {tcp + "callers: 1\n", "4: callers: want unauthenticated or a mapping of certificate, key, trustedCA and sans, got a number"},
		"mTLS callers on a socket":            {more("callers: {certificate: a, key: b, trustedCA: c, sans: [d]}"), "4: callers: has no meaning with a Unix socket, whose file mode says who may call; remove it"},
		"unauthenticated callers on a socket": {more("callers: unauthenticated"), "4: callers: has no meaning with a Unix socket, whose file mode says who may call; remove it"},
		"mTLS callers without all four": {tcp + "callers:\n  sans: []\n", "5: callers.certificate: required\n" +
			"5: callers.key: required\n" +
			"5: callers.trustedCA: required\n" +
			"5: callers.sans: must name at least one caller"},
		"mTLS callers by pattern": {tcp + "callers: {certificate: a, key: b, trustedCA: c, sans: [\"*.mesh\", \"spiffe://\", d, d]}\n", `4: callers.sans[0]: want a URI such as spiffe://mesh/envoy or a DNS name, without wildcards, got "*.mesh"` + "\n" +
			`4: callers.sans[1]: want a URI such as spiffe://mesh/envoy or a DNS name, without wildcards, got "spiffe://"` + "\n" +
			`4: callers.sans[3]: "d" stands twice`},
		"a misspelled key of mTLS callers": {tcp + "callers: {certificate: a, key: b, trustedCa: c, sans: [d]}\n", "4: callers.trustedCA: required\n" +
			"4: callers.trustedCa: unknown key (did you mean trustedCA?)"},
	})
}

func TestRoutesAreRefused(t *testing.T) {
	route := func(fields string) string { return more("routes:\n- {name: a, " + fields + "}") }
	const nobodyServes = `5: routes: route "a" has access: endpoint; set listen.http, where the endpoints are served`
	match := func(fields string) string { return route("match: {" + fields + "}") }
	checkRefusals(t, map[string]refusal{
		"a route without a name":                     {more("routes:\n- access: public"), "5: routes[0].name: required"},
		"a name with a slash":                        {more("routes:\n- name: a/b"), `5: routes[0].name: want 1 to 64 letters, digits, dots, hyphens or underscores, got "a/b"`},
		"a name too long":                            {more("routes:\n- name: " + strings.Repeat("a", 65)), `5: routes[0].name: want 1 to 64 letters, digits, dots, hyphens or underscores, got "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"…`},
		"two routes of one name":                     {more("routes:\n- name: a\n- name: a\n  match: {pathPrefix: /b}"), `6: routes[1].name: "a" is the name of the route on line 5 already`},
		"a route that is text":                       {more("routes: [a]"), "4: routes[0]: want a mapping, got text"},
		"endpoints everywhere":                       {route("access: endpoint"), "5: routes[0].match: with access: endpoint, pathPrefix must be /oauth2/token, /oauth2/introspect or /oauth2/revoke" + "\n" + nobodyServes},
		"an endpoint that is none of ours":           {route("access: endpoint, match: {pathPrefix: /oauth2}"), "5: routes[0].match: with access: endpoint, pathPrefix must be /oauth2/token, /oauth2/introspect or /oauth2/revoke" + "\n" + nobodyServes},
		"an endpoint that nobody serves":             {route("access: endpoint, match: {pathPrefix: /oauth2/token}"), nobodyServes},
		"an unknown access":                          {route("access: open"), `5: routes[0].access: want certificate, public, preflight or endpoint, got "open"`},
		"a foreign token where nothing is asked for": {route("access: public, inboundAuthorization: pass"), "5: routes[0].inboundAuthorization: pass has meaning only with access: certificate; with access: public an Authorization is taken off, or is our endpoint's"},
		"a foreign token that Envoy would refuse": {
			instead("{grpc", "{http: \"unix:/h\", grpc") + "envoy: {jwtAuthn: true}\nroutes: [{name: a, inboundAuthorization: pass}]\n",
			`5: routes: route "a" has inboundAuthorization: pass, and with envoy.jwtAuthn Envoy refuses every token that is not of ours`},
		"shadow that Envoy would end": {
			instead("{grpc", "{http: \"unix:/h\", grpc") + "envoy: {jwtAuthn: true}\nmode: shadow\n",
			"5: mode: shadow lets requests pass as they came, and with envoy.jwtAuthn Envoy refuses every request without a token of ours"},
		"a route in shadow that Envoy would end": {
			instead("{grpc", "{http: \"unix:/h\", grpc") + "envoy: {jwtAuthn: true}\nroutes: [{name: a, mode: shadow}]\n",
			`5: routes: route "a" has mode: shadow, which lets requests pass as they came, and with envoy.jwtAuthn Envoy refuses every request without a token of ours`},
		"an endpoint in shadow":            {instead("{grpc", "{http: \"unix:/h\", grpc") + "routes: [{name: a, access: endpoint, match: {pathPrefix: /oauth2/token}, mode: shadow}]\n", "4: routes[0].mode: our own endpoints are never in shadow: a token is given out or it is not"},
		"another mode of a route":          {route("mode: off"), `5: routes[0].mode: want enforce or shadow, got "off"`},
		"a host in capitals":               {match("host: A.example.com"), `5: routes[0].match.host: want "*", "*.example.com" or a lower-case name without a port, got "A.example.com"`},
		"a host with a port":               {match("host: \"a:443\""), `5: routes[0].match.host: want "*", "*.example.com" or a lower-case name without a port, got "a:443"`},
		"a host of 254 bytes":              {match("host: " + strings.Repeat("abcdefghi.", 25) + "abcd"), `5: routes[0].match.host: want "*", "*.example.com" or a lower-case name without a port, got "` + strings.Repeat("abcdefghi.", 6) + `abcd"…`},
		"a host with a star inside":        {match("host: a.*.com"), `5: routes[0].match.host: want "*", "*.example.com" or a lower-case name without a port, got "a.*.com"`},
		"a star without a dot":             {match("host: \"*a.com\""), `5: routes[0].match.host: want "*", "*.example.com" or a lower-case name without a port, got "*a.com"`},
		"a prefix without a slash":         {match("pathPrefix: api"), `5: routes[0].match.pathPrefix: must begin with /, got "api"`},
		"a prefix with two slashes":        {match("pathPrefix: /a//b"), `5: routes[0].match.pathPrefix: must not have empty, . or .. segments, got "/a//b"`},
		"a prefix with a dot":              {match("pathPrefix: /a/./b"), `5: routes[0].match.pathPrefix: must not have empty, . or .. segments, got "/a/./b"`},
		"a prefix with two dots":           {match("pathPrefix: /a/.."), `5: routes[0].match.pathPrefix: must not have empty, . or .. segments, got "/a/.."`},
		"a prefix with a percent sign":     {match("pathPrefix: /a%2fb"), `5: routes[0].match.pathPrefix: must be a plain path, without %, ? and #, got "/a%2fb"`},
		"a prefix with a query":            {match("pathPrefix: \"/a?b\""), `5: routes[0].match.pathPrefix: must be a plain path, without %, ? and #, got "/a?b"`},
		"a prefix with a fragment":         {match("pathPrefix: \"/a#b\""), `5: routes[0].match.pathPrefix: must be a plain path, without %, ? and #, got "/a#b"`},
		"a prefix with a backslash":        {match("pathPrefix: /a\\b"), `5: routes[0].match.pathPrefix: must be a plain path, without %, ? and #, got "/a\\b"`},
		"a prefix with a slash at its end": {match("pathPrefix: /a/"), `5: routes[0].match.pathPrefix: must not end with /; a prefix covers whole segments, so write "/a"`},
		"an empty prefix":                  {match("pathPrefix: \"\""), `5: routes[0].match.pathPrefix: must begin with /, got ""`},
		"a method in small letters":        {match("methods: [get]"), `5: routes[0].match.methods[0]: want a method in capitals such as GET, got "get"`},
		"a method twice":                   {match("methods: [GET, GET]"), `5: routes[0].match.methods[1]: "GET" stands twice`},
		"methods that are no list":         {match("methods: GET"), "5: routes[0].match.methods: want a list, got text"},
		"a preflight of another method":    {route("access: preflight, match: {methods: [OPTIONS, GET]}"), "5: routes[0].match: methods must be [OPTIONS] or left out with access: preflight"},
		"a client with an underscore":      {route("clientId: a_b"), `5: routes[0].clientId: want 1 to 64 letters, digits, dots or hyphens, got "a_b"`},
		"a scope with a space":             {route("scope: [\"a b\"]"), `5: routes[0].scope[0]: want a scope of printable ASCII without space, " or \, got "a b"`},
		"a scope with a quote": {route("scope: ['a\"b', 'a\\b', \"\"]"), `5: routes[0].scope[0]: want a scope of printable ASCII without space, " or \, got "a\"b"` + "\n" +
			`5: routes[0].scope[1]: want a scope of printable ASCII without space, " or \, got "a\\b"` + "\n" +
			`5: routes[0].scope[2]: want a scope of printable ASCII without space, " or \, got ""`},
		"a scope twice":                          {route("scope: [a, a]"), `5: routes[0].scope[1]: "a" stands twice`},
		"a route's audience that is the issuer":  {route("audience: " + issuer + "/"), "5: routes[0].audience: " + ourselves},
		"a route's audience that is an endpoint": {route("audience: " + issuer + "/oauth2/token"), "5: routes[0].audience: " + ourselves},
		"an unknown inject":                      {route("inject: {clientCerts: rfc9440}"), "5: routes[0].inject.clientCerts: unknown key (did you mean clientCert?)"},
		"a public route that grants": {route("access: public, clientId: b, audience: 'urn:x', scope: [c], inject: {bind: cnf}"), "5: routes[0].clientId: has meaning only with access: certificate; this route has access: public\n" +
			"5: routes[0].audience: has meaning only with access: certificate; this route has access: public\n" +
			"5: routes[0].scope: has meaning only with access: certificate; this route has access: public\n" +
			"5: routes[0].inject: has meaning only with access: certificate; this route has access: public"},
		"a preflight route that grants": {route("access: preflight, clientId: b"), "5: routes[0].clientId: has meaning only with access: certificate; this route has access: preflight"},
		"two routes that match the same": {
			more("routes:\n- name: a\n  match: {methods: [GET, PUT]}\n- name: b\n  match: {host: \"*\", pathPrefix: /, methods: [PUT, GET]}"), `8: routes[1].match: the same as that of route "a" on line 5, which comes first`},
		"two routes without a match": {more("routes:\n- name: a\n- name: b"), `6: routes[1].match: the same as that of route "a" on line 5, which comes first`},
		"one route of several without an audience": {
			instead("audience: "+audience+"\n", "") + "routes:\n- {name: a, audience: 'urn:a'}\n- {name: b, match: {pathPrefix: /b}}\n", `1: audience: required, because route "b" names none`},
	})
}

func TestPEMIsRefusedAndNotRepeated(t *testing.T) {
	const secret = "MC4CAQAwBQYDK2VwBCIEI"
	const problem = "PEM text; keys and certificates are given as file paths, never inline"
	for name, c := range map[string]refusal{
		"a key as a value":   {more("envoy:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    " + secret), "6"},
		"a key in a comment": {more("# -----BEGIN PRIVATE KEY----- " + secret), "4"},
		"a key behind escapes": {
			more(`envoy: {key: "\x2d----BEGIN PRIVATE KEY-----\n` + secret + `"}`), "4"},
		"a key as a key":               {more(`"\u002d----BEGIN ` + secret + `": a`), "4"},
		"a key in a file with faults":  {more("clientid: " + secret + "\nkey: '-----BEGIN " + secret), "5"},
		"a key under an unknown field": {more("pem: [a, {b: \"-----\\\n  BEGIN " + secret + "\"}]"), "4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(c.yaml), baseDir)
			if want := fmt.Sprintf("c.yaml:%s: %s", c.want, problem); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestEveryFaultIsReportedByLine(t *testing.T) {
	_, err := config.Parse("c.yaml", []byte("isuer: x\nlog: {level: loud}\nlisten:\n  grpc: nowhere\n  http: 1\naudit: []\n"), baseDir)
	var all config.Errors
	if !errors.As(err, &all) {
		t.Fatalf("%T is not config.Errors", err)
	}
	want := config.Errors{
		{File: "c.yaml", Line: 1, Field: "issuer", Problem: "required"},
		{File: "c.yaml", Line: 1, Field: "audience", Problem: `required, because route "default" names none`},
		{File: "c.yaml", Line: 1, Field: "isuer", Problem: "unknown key (did you mean issuer?)"},
		{File: "c.yaml", Line: 2, Field: "log.level", Problem: `want debug, info, warn or error, got "loud"`},
		{File: "c.yaml", Line: 4, Field: "listen.grpc", Problem: `want unix:/path or host:port, got "nowhere"`},
		{File: "c.yaml", Line: 5, Field: "listen.http", Problem: "want text, got a number (put it in quotes)"},
		{File: "c.yaml", Line: 6, Field: "audit", Problem: "want a mapping, got a list"},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	var one *config.Error
	if !errors.As(err, &one) || one != all[0] {
		t.Errorf("errors.As finds %v, want the first fault", one)
	}
}

func TestAFaultDoesNotBringOthersAfterIt(t *testing.T) {
	checkRefusals(t, map[string]refusal{
		"a listener that cannot be read is not a missing JWKS": {
			instead("{grpc", "{http: x, grpc") + "envoy: {jwtAuthn: true}\n", `3: listen.http: want unix:/path or host:port, got "x"`},
		"a route that cannot be read does not match like another": {
			more("routes:\n- name: a\n  match: {host: A}\n- name: b"),
			`6: routes[0].match.host: want "*", "*.example.com" or a lower-case name without a port, got "A"`},
		"an issuer that cannot be read is no audience": {
			"issuer: http://a\naudience: http://a\nlisten: {grpc: " + socket + "}",
			"1: issuer: want an https URL such as https://gateway.example.com"},
		"an audience that cannot be read is not missing": {
			instead("audience: "+audience, "audience: x"), "2: audience: want an absolute URI such as https://api.example.com"},
		"a route's audience that cannot be read is not missing": {
			instead("audience: "+audience+"\n", "") + "routes: [{name: a, audience: x}]\n",
			"3: routes[0].audience: want an absolute URI such as https://api.example.com"},
		"callers that cannot be read are not missing": {
			instead(socket, "127.0.0.1:1") + "callers: x\n",
			`4: callers: want unauthenticated or a mapping of certificate, key, trustedCA and sans, got "x"`},
		"names that cannot be read are not missing": {
			instead(socket, "127.0.0.1:1") + "callers: {certificate: a, key: b, trustedCA: c, sans: [\"*\"]}\n",
			`4: callers.sans[0]: want a URI such as spiffe://mesh/envoy or a DNS name, without wildcards, got "*"`},
	})
}

func TestTheListOfFaultsEnds(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "unknown%d: x\n", i)
	}
	_, err := config.Parse("c.yaml", []byte(more(text.String())), baseDir)
	var all config.Errors
	if !errors.As(err, &all) || len(all) != 101 {
		t.Fatalf("%d faults, want 100 and one that says so", len(all))
	}
	if want := "too many faults; the rest is not shown"; all[100].Problem != want {
		t.Errorf("the last is %q, want %q", all[100].Problem, want)
	}
}
