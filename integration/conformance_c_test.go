package integration_test

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/policies/decision"
)

func conformanceC(t *testing.T, s *stand) {
	lab := presents(s.lab)
	holds(t, "C1 the endpoint takes POST and nothing else", func(t *testing.T) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			got := s.refuses(t, posted{method: method, form: granting("lab"), as: lab, path: tokenPath + "?" + granting("lab").Encode()}, http.StatusMethodNotAllowed, "invalid_request")
			if allow := got.header.Get("Allow"); allow != http.MethodPost {
				t.Errorf("%s: Allow is %q", method, allow)
			}
		}
	})
	holds(t, "C2 only a form in the body is read", s.c2)
	holds(t, "C3 a parameter may stand once, one without a value is none, an unknown one is ignored", s.c3)
	holds(t, "C4 the grant is client_credentials, for those who may use it", func(t *testing.T) {
		s.refuses(t, posted{form: granting("no-grant"), as: presents(s.grantless)}, http.StatusBadRequest, "unauthorized_client")
		for grant, oauth := range map[string]string{"": "invalid_request", "password": "unsupported_grant_type", "authorization_code": "unsupported_grant_type", "refresh_token": "unsupported_grant_type", "Client_Credentials": "unsupported_grant_type"} {
			s.refuses(t, posted{form: url.Values{"grant_type": {grant}, "client_id": {"lab"}}, as: lab}, http.StatusBadRequest, oauth)
		}
		s.refuses(t, posted{form: url.Values{"client_id": {"lab"}}, as: lab}, http.StatusBadRequest, "invalid_request")
	})
	holds(t, "C5 a token comes as JSON with its type and its life", func(t *testing.T) {
		got := s.post(t, posted{form: granting("other"), as: presents(s.other)})
		all := members(t, got.body)
		token, isText := all["access_token"].(string)
		if got.status != http.StatusOK || !isText || token == "" || all["token_type"] != "Bearer" || all["expires_in"] != jsonNumber("60") {
			t.Errorf("status %d, token_type %v, expires_in %v", got.status, all["token_type"], all["expires_in"])
		}
		if kind := got.header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("Content-Type is %q", kind)
		}
	})
	holds(t, "C6 the scope granted is said", func(t *testing.T) {
		for asked, granted := range map[string]string{"": "orders.read", "orders.write": "orders.write", "orders.write orders.read": "orders.write orders.read"} {
			s.grants(t, "lab", lab, asked, granted)
		}
	})
	holds(t, "C7 no answer may be stored", s.c7)
	holds(t, "C8 there is no refresh token, and nothing else that was not asked for", func(t *testing.T) {
		got := slices.Sorted(maps.Keys(members(t, s.post(t, posted{form: granting("lab"), as: lab}).body)))
		if diff := cmp.Diff([]string{"access_token", "expires_in", "scope", "token_type"}, got); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
	})
	holds(t, "C9 an error has a registered code and a text of its alphabet", s.c9)
	holds(t, "C10 after Basic the challenge is Basic", func(t *testing.T) {
		got := s.refuses(t, posted{form: granting("lab"), as: lab, header: http.Header{"Authorization": {"Basic bGFiOg=="}}}, http.StatusUnauthorized, "invalid_client")
		if challenge := got.header["Www-Authenticate"]; !slices.Equal(challenge, []string{`Basic realm="certbearer"`}) {
			t.Errorf("WWW-Authenticate is %q", challenge)
		}
	})
	holds(t, "C11 a scope that is unknown, malformed or another's is refused", func(t *testing.T) {
		for _, scope := range []string{"admin", "orders.read admin", "orders", "orders.read  orders.write", " orders.read", "orders.read ", "ORDERS.READ", "orders.read\torders.write", `orders."read"`, `a\b`, "órders.read"} {
			s.refuses(t, posted{form: granting("lab", "scope", scope), as: lab}, http.StatusBadRequest, "invalid_scope")
		}
		s.refuses(t, posted{form: granting("other", "scope", "orders.read"), as: presents(s.other)}, http.StatusBadRequest, "invalid_scope")
	})
	holds(t, "C12 without a scope the client gets its default, which may be none", func(t *testing.T) {
		s.grants(t, "lab", lab, "", "orders.read")
		s.grants(t, "other", presents(s.other), "", "")
	})
	holds(t, "C13 a resource that the client may have is the audience, every other is refused", s.c13)
	holds(t, "C14 no TLS before 1.2 is spoken", func(t *testing.T) {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			s.refusesVersion(t, version, version)
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if _, err := s.shake(version, version, nil); err != nil {
				t.Errorf("it does not speak %s: %v", tls.VersionName(version), err)
			}
		}
	})
	otherwise(t, "C15 what is too large is refused in JSON; how often one may ask is Envoy's to say", func(t *testing.T) {
		s.refuses(t, posted{form: granting("lab", "padding", strings.Repeat("x", 40<<10)), as: lab}, http.StatusRequestEntityTooLarge, "invalid_request")
		s.refuses(t, posted{body: granting("lab").Encode() + strings.Repeat("&a=", 60), as: lab}, http.StatusBadRequest, "invalid_request")
		huge := s.post(t, posted{form: granting("lab"), as: lab, header: http.Header{"X-Padding": {strings.Repeat("x", 100<<10)}}})
		if huge.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 100 KiB: status %d", huge.status)
		}
	})
}

// grants asks for the scope and expects what is granted, in answer and token.
func (s *stand) grants(t *testing.T, client string, as *tls.Certificate, asked, granted string) {
	t.Helper()
	all := members(t, s.post(t, posted{form: granting(client, "scope", asked), as: as}).body)
	token, _ := all["access_token"].(string)
	_, claims := opened(t, token)
	for where, scope := range map[string]any{"the answer": all["scope"], "the token": claims["scope"]} {
		if text, _ := scope.(string); text != granted {
			t.Errorf("asked for %q, %s has %q, want %q", asked, where, text, granted)
		}
	}
}

func (s *stand) c2(t *testing.T) {
	lab := presents(s.lab)
	form, query := granting("lab"), "?"+granting("lab").Encode()
	for sentence, kinds := range map[string][]string{
		"no type": nil, "JSON": {"application/json"}, "text": {"text/plain"}, "multipart": {"multipart/form-data; boundary=x"},
		"two types": {"application/x-www-form-urlencoded", "application/json"}, "nonsense": {"application/x-www-form-urlencoded;;;="},
	} {
		t.Run(sentence+" is refused", func(t *testing.T) {
			s.refuses(t, posted{form: form, as: lab, header: http.Header{"Content-Type": kinds}}, http.StatusBadRequest, "invalid_request")
		})
	}
	s.refuses(t, posted{body: `{"grant_type":"client_credentials","client_id":"lab"}`, as: lab}, http.StatusBadRequest, "invalid_request")
	if got := s.post(t, posted{form: form, as: lab, header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=UTF-8"}}}); got.status != http.StatusOK {
		t.Errorf("with a charset: status %d with %s", got.status, got.oauth)
	}
	t.Run("the query is not read", func(t *testing.T) {
		s.refuses(t, posted{path: tokenPath + query, body: "a=b", as: lab}, http.StatusBadRequest, "invalid_request")
		s.refuses(t, posted{path: tokenPath + query, form: url.Values{"client_id": {"lab"}}, as: lab}, http.StatusBadRequest, "invalid_request")
		s.refuses(t, posted{path: tokenPath + query, form: granting("other"), as: lab}, http.StatusUnauthorized, "invalid_client")
		if got := s.post(t, posted{path: tokenPath + "?client_id=other&scope=admin", form: form, as: lab}); got.status != http.StatusOK {
			t.Errorf("status %d with %s", got.status, got.oauth)
		}
	})
}

func (s *stand) c3(t *testing.T) {
	lab := presents(s.lab)
	for _, twice := range []string{"client_id=lab", "grant_type=client_credentials", "scope=orders.read&scope=orders.read", "unknown=1&unknown=2", "scope=&scope=orders.read"} {
		s.refuses(t, posted{body: granting("lab").Encode() + "&" + twice, as: lab}, http.StatusBadRequest, "invalid_request")
	}
	for _, harmless := range []string{"scope=", "client_secret=", "resource=", "unknown=1", "unknown=1&another", "client_assertion="} {
		if got := s.post(t, posted{body: granting("lab").Encode() + "&" + harmless, as: lab}); got.status != http.StatusOK {
			t.Errorf("%s: status %d with %s", harmless, got.status, got.oauth)
		}
	}
	s.refuses(t, posted{body: "client_id=lab&grant_type=", as: lab}, http.StatusBadRequest, "invalid_request")
	s.refuses(t, posted{body: granting("lab").Encode() + "&scope=%zz", as: lab}, http.StatusBadRequest, "invalid_request")
}

func (s *stand) c7(t *testing.T) {
	lab := presents(s.lab)
	own := url.Values{"client_id": {"lab"}, "token": {s.tokenFor(t, "lab", lab)}}
	for sentence, p := range map[string]posted{
		"a token":                 {form: granting("lab"), as: lab},
		"an error":                {form: granting("lab", "scope", "admin"), as: lab},
		"a client that is none":   {form: granting("lab")},
		"another method":          {method: http.MethodGet, as: lab},
		"what is too large":       {form: granting("lab", "padding", strings.Repeat("x", 40<<10)), as: lab},
		"introspection":           {path: introspectPath, form: own, as: lab},
		"introspection of nobody": {path: introspectPath, form: own},
		"revocation":              {path: revokePath, form: own, as: lab},
		"revocation of nobody":    {path: revokePath, form: own},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := s.post(t, p)
			caching := [][]string{got.header["Cache-Control"], got.header["Pragma"]}
			if diff := cmp.Diff([][]string{{"no-store"}, {"no-cache"}}, caching); diff != "" {
				t.Errorf("status %d: Cache-Control and Pragma (-want +got):\n%s", got.status, diff)
			}
		})
	}
}

// alphabet is what RFC 6749 section 5.2 has for error and error_description.
var alphabet = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)

func (s *stand) c9(t *testing.T) {
	lab := presents(s.lab)
	for oauth, p := range map[string]posted{
		"invalid_request":        {form: url.Values{"client_id": {"lab"}}, as: lab},
		"unauthorized_client":    {form: granting("no-grant"), as: presents(s.grantless)},
		"unsupported_grant_type": {form: url.Values{"client_id": {"lab"}, "grant_type": {`"\`}}, as: lab},
		"invalid_scope":          {form: granting("lab", "scope", `"\`), as: lab},
		"invalid_target":         {form: granting("lab", "resource", `"\`), as: lab},
	} {
		got := s.refuses(t, p, http.StatusBadRequest, oauth)
		all := members(t, got.body)
		description, _ := all["error_description"].(string)
		if len(all) != 2 || !alphabet.MatchString(description) || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", oauth, got.body)
		}
	}
	for _, reason := range decision.Reasons() {
		if a, _ := oauthanswer.Of(reason); !alphabet.MatchString(a.Error) || !alphabet.MatchString(a.Description) {
			t.Errorf("%s: %q, %q", reason, a.Error, a.Description)
		}
	}
}

func (s *stand) c13(t *testing.T) {
	lab := presents(s.lab)
	const api, other = "https://api.example", "https://other.example"
	for _, c := range []struct {
		asked []string
		want  string
	}{{nil, api}, {[]string{"resource", api}, api}, {[]string{"resource", other}, other}, {[]string{"resource", other, "resource", other}, other}} {
		if _, claims := opened(t, s.tokenFor(t, "lab", lab, c.asked...)); claims["aud"] != c.want {
			t.Errorf("asked for %v, aud is %v", c.asked, claims["aud"])
		}
	}
	for _, resource := range []string{"https://x.example", "other.example", "/orders", other + "#a", other + "#", other + "/", "HTTPS://OTHER.EXAMPLE", "https://localhost:8443"} {
		s.refuses(t, posted{form: granting("lab", "resource", resource), as: lab}, http.StatusBadRequest, "invalid_target")
	}
	s.refuses(t, posted{form: granting("lab", "resource", api, "resource", other), as: lab}, http.StatusBadRequest, "invalid_target")
	s.refuses(t, posted{form: granting("other", "resource", other), as: presents(s.other)}, http.StatusBadRequest, "invalid_target")
}
