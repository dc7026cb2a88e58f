package extauthz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestAnExplanationIsTheDecisionOfACheckWithItsSteps(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab", pinned)
	s.pin(t, "other", selfSigned(t, testca.Template{CommonName: "other"}))
	s.useKeys(t, unripeKey{newKey(t)}) // an explanation that signed would panic
	explainer := extauthz.NewExplainer(extauthz.Config{
		State: s.config.State, Routes: s.config.Routes, Authenticator: s.config.Authenticator, DefaultAudience: audience,
	})
	for name, test := range map[string]struct {
		leaf   *testca.Issued
		reason decision.Reason
		status int
		client string
		last   decision.Entry
		named  string // by the caller of Explain
	}{
		"an accepted certificate": {
			pinned, decision.Allowed, 0, "lab",
			decision.Entry{Step: decision.StepJudge, Outcome: decision.Passed}, "",
		},
		"an accepted certificate of the client that is named": {
			pinned, decision.Allowed, 0, "lab",
			decision.Entry{Step: decision.StepJudge, Outcome: decision.Passed}, "lab",
		},
		"an accepted certificate and another client's name": {
			pinned, decision.CertificateNotPinned, 401, "other",
			decision.Entry{Step: decision.StepJudge, Outcome: decision.Failed}, "other",
		},
		"an unknown certificate and a client's name": {
			selfSigned(t, testca.Template{CommonName: "lab"}), decision.CertificateNotPinned, 401, "other",
			decision.Entry{Step: decision.StepJudge, Outcome: decision.Failed}, "other",
		},
		"a name that no client has": {
			pinned, decision.ClientUnknown, 401, "",
			decision.Entry{Step: decision.StepResolve, Outcome: decision.Failed}, "nobody",
		},
		"an unknown certificate": {
			selfSigned(t, testca.Template{CommonName: "lab"}), decision.ClientUnknown, 401, "",
			decision.Entry{Step: decision.StepResolve, Outcome: decision.Failed}, "",
		},
		"no certificate": {
			nil, decision.CertificateMissing, 401, "",
			decision.Entry{Step: decision.StepEvidence, Outcome: decision.Failed}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := wire.FromCheck(requestFrom(test.leaf))
			if err != nil {
				t.Fatal(err)
			}
			request.At = pinned.Certificate.NotBefore.AddDate(0, 1, 0)
			var trace decision.Trace
			got := explainer.Explain(t.Context(), s.holder.Load(), &request, test.named, &trace)
			if got.Reason != test.reason || got.Status != test.status || (got.Err == nil) != test.reason.Allows() {
				t.Errorf("%s, status %d, error %v", got.Reason, got.Status, got.Err)
			}
			if got.Route == nil || got.Route.Name != "api" {
				t.Errorf("route %v", got.Route)
			}
			client := ""
			if got.Identity.Client != nil {
				client = got.Identity.Client.ID()
			}
			if client != test.client {
				t.Errorf("client %q", client)
			}
			entries := trace.Entries()
			last := entries[len(entries)-1]
			last.Detail = ""
			if diff := cmp.Diff(test.last, last); diff != "" {
				t.Errorf("the last step (-want +got)\n%s", diff)
			}
		})
	}
	if s.config.Tokens.Len() != 0 || s.count(t, "certbearer_decisions_total", "") != 0 {
		t.Error("an explanation left a trace in the cache or the metrics")
	}
}

func TestAnExplanationOfARequestWithoutARouteHasNone(t *testing.T) {
	s := newSite(t, nil)
	request, err := wire.FromCheck(requestFrom(nil))
	if err != nil {
		t.Fatal(err)
	}
	request.ContextExtensions = map[string]string{"certbearer.route": "nowhere"}
	got := extauthz.NewExplainer(s.config).Explain(t.Context(), s.holder.Load(), &request, "", nil)
	if got.Route != nil || got.Status != 503 || got.Reason != decision.RouteUnknown {
		t.Errorf("%+v", got)
	}
}

func TestAnExplanationForAClientThatTheRouteDoesNotTakeIsAConflict(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	route := apiRoute()
	route.ClientID = "lab"
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, route) })
	s.pin(t, "lab", pinned)
	request, err := wire.FromCheck(requestFrom(pinned))
	if err != nil {
		t.Fatal(err)
	}
	request.At = pinned.Certificate.NotBefore.AddDate(0, 1, 0)
	explainer := extauthz.NewExplainer(s.config)
	for named, want := range map[string]decision.Reason{"lab": decision.Allowed, "": decision.Allowed, "other": decision.ClientConflict} {
		if got := explainer.Explain(t.Context(), s.holder.Load(), &request, named, nil); got.Reason != want {
			t.Errorf("for %q: %s, want %s", named, got.Reason, want)
		}
	}
}
