package extauthz_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

// A caller is challenged with a 401 (RFC 9110 section 15.5.2), and told what a
// token lacks with a 403 (RFC 6750 section 3.1).
func TestWhatARefusalChallengesTo(t *testing.T) {
	for _, reason := range decision.Reasons() {
		want := ""
		switch a, _ := oauthanswer.Of(reason); {
		case a.Error == "invalid_token":
			want = `Bearer error="invalid_token"`
		case a.Status == http.StatusUnauthorized:
			want = "Bearer"
		case a.Error == "insufficient_scope":
			want = `Bearer error="insufficient_scope", scope="a b"`
		}
		if got := extauthz.ChallengeOf(reason, "a b"); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

// Statuses that only an HTTP endpoint gives are a 503 at the gateway, which has no
// reason for them; none becomes an OK.
func TestEveryReasonsStatusIsOneThatRefuses(t *testing.T) {
	for _, reason := range decision.Reasons() {
		if got := extauthz.StatusOf(reason).HTTP(); got < 400 {
			t.Errorf("%s: %d", reason, got)
		}
	}
}

func TestARefusalAsTheCallerSeesIt(t *testing.T) {
	s := newSite(t, nil)
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	s.pin(t, "lab-partner", pinned)
	for name, test := range map[string]struct {
		change  func(*authv3.CheckRequest)
		status  int
		headers map[string]string
		body    string
	}{
		"a stranger is asked to authenticate": {
			func(r *authv3.CheckRequest) {
				r.Attributes.Source.Certificate = selfSigned(t, testca.Template{CommonName: "lab"}).URLEncodedPEM()
			},
			401, map[string]string{"www-authenticate": "Bearer"},
			`{"error":"invalid_client","error_description":"client authentication by certificate failed"}`,
		},
		"an Authorization of the caller's own is refused": {
			func(r *authv3.CheckRequest) { with(r, "authorization", "Bearer abc.def.ghi") },
			401, map[string]string{"www-authenticate": `Bearer error="invalid_token"`},
			`{"error":"invalid_token","error_description":"an Authorization header is not accepted here"}`,
		},
		"a check without a method is malformed": {
			func(r *authv3.CheckRequest) { httpOf(r).Method = "" },
			400, map[string]string{},
			`{"error":"invalid_request","error_description":"the request cannot be authorized as it is"}`,
		},
		"a route that does not exist is a fault of the configuration": {
			func(r *authv3.CheckRequest) {
				r.Attributes.ContextExtensions = map[string]string{"certbearer.route": "nowhere"}
			},
			503, map[string]string{"retry-after": "1"},
			`{"error":"temporarily_unavailable","error_description":"authorization is not available"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := requestFrom(pinned)
			test.change(request)
			got := check(t.Context(), t, s, request)
			want := map[string]string{
				"content-type": "application/json", "cache-control": "no-store",
				"x-request-id": "7f2c9d1e-aaaa-bbbb-cccc-0123456789ab",
			}
			for header, value := range test.headers {
				want[header] = value
			}
			if diff := cmp.Diff(want, got.headers); diff != "" {
				t.Errorf("headers (-want +got)\n%s", diff)
			}
			if got.Status != test.status || got.GetDeniedResponse().GetBody() != test.body || !json.Valid([]byte(test.body)) {
				t.Errorf("%d %s", got.Status, got.GetDeniedResponse().GetBody())
			}
		})
	}
}

func TestAnUnknownClientAndAWrongCertificateAreToldTheSame(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "Lab CA", CA: true})
	off := selfSigned(t, testca.Template{CommonName: "off"})
	s := newSite(t, nil)
	s.put(t, "by-ca", map[string]any{"certificateTrustStore": storeOf(ca)})
	s.put(t, "off", map[string]any{"certificateTrustStore": storeOf(off), "status": "off"})
	expired := issue(t, ca, testca.Template{CommonName: "lab", NotAfter: time.Now().Add(-time.Hour)})
	told := map[string]string{}
	for reason, leaf := range map[string]*testca.Issued{
		"certificate_missing": nil,
		"client_unknown":      selfSigned(t, testca.Template{CommonName: "lab"}),
		"client_inactive":     off,
		"certificate_expired": expired,
	} {
		got := check(t.Context(), t, s, requestFrom(leaf))
		if got.Reason != reason {
			t.Errorf("reason %s, want %s", got.Reason, reason)
		}
		text, err := json.Marshal([]any{got.Status, got.headers, got.GetDeniedResponse().GetBody(), got.CheckResponse.GetStatus().GetCode()})
		if err != nil {
			t.Fatal(err)
		}
		told[string(text)] = reason
	}
	if len(told) != 1 {
		t.Errorf("the caller can tell them apart: %v", told)
	}
}

func TestARequestIDIsEchoedOnlyIfItIsPlainText(t *testing.T) {
	s := newSite(t, nil)
	for name, test := range map[string]struct {
		id   string
		echo bool
	}{
		"a UUID":                      {"7f2c9d1e-aaaa-bbbb-cccc-0123456789ab", true},
		"128 characters":              {strings.Repeat("a", 128), true},
		"129 characters":              {strings.Repeat("a", 129), false},
		"a line break":                {"a\r\nset-cookie: a=b", false},
		"a space":                     {"a b", false},
		"a letter that is not ASCII":  {"ä", false},
		"the last control character":  {"a\x7f", false},
		"nothing":                     {"", false},
		"a quotation mark and a tag":  {`"<script>`, true},
		"the first printable, a mark": {"!", true},
	} {
		t.Run(name, func(t *testing.T) {
			request := with(requestFrom(nil), "x-request-id", test.id)
			httpOf(request).Id = ""
			got, found := check(t.Context(), t, s, request).headers["x-request-id"]
			if found != test.echo || found && got != test.id {
				t.Errorf("echoed %v: %q", found, got)
			}
		})
	}
}
