package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/discovery"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestAKeySetIsKeptForHalfTheTimeOfPublicationAtMost(t *testing.T) {
	keys, err := signer.Open(t.Context(), filepath.Join(t.TempDir(), "keys"), signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	for ahead, want := range map[time.Duration]string{
		time.Second: "0", 2 * time.Second: "1", 3 * time.Second: "1", time.Minute: "30", 10 * time.Minute: "300",
		10*time.Minute + 1: "300", time.Hour: "300", 720 * time.Hour: "300",
	} {
		settings := &config.Config{Keys: config.SigningKeys{PublishAhead: ahead}}
		g := &gateway{config: settings}
		g.holder.Publish(func(s state.State) state.State { s.Keys = keys; return s })
		recorder := httptest.NewRecorder()
		g.jwks().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, discovery.JWKSPath, nil))
		if got := recorder.Header().Get("Cache-Control"); got != "public, max-age="+want {
			t.Errorf("published %v ahead: %s, want %s", ahead, got, want)
		}
		if age := jwksAge(settings); age > ahead/2 {
			t.Errorf("published %v ahead: kept for %v", ahead, age)
		}
	}
}

// testSite makes a folder to serve from, and its configuration with the given keys.
func testSite(t *testing.T, keys string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "clients"), 0o755); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Parse("certbearer.yaml", []byte("issuer: https://gateway.example\naudience: https://api.example\n"+
		"listen: {grpc: \"unix:"+filepath.Join(dir, "s")+"\", ops: \"\"}\naudit: {to: none}\nkeys: "+keys+"\n"), dir)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func testGateway(t *testing.T, settings *config.Config, log io.Writer) *gateway {
	t.Helper()
	g, err := newGateway(t.Context(), settings, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	return g
}

func healthOf(t *testing.T, g *gateway) health {
	t.Helper()
	recorder := httptest.NewRecorder()
	g.healthz(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	var h health
	if err := json.NewDecoder(recorder.Body).Decode(&h); err != nil {
		t.Fatal(err)
	}
	return h
}

// untilReported runs the gateway's keeper until it has told of something.
func untilReported(t *testing.T, g *gateway) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	told := false
	g.keeper.Run(ctx, func(report signer.Report) {
		g.keysReported(report)
		told = true
		cancel()
	})
	if !told {
		t.Error("the keeper has nothing to tell")
	}
}

func TestARemovedKeyTakesItsCachedTokensWithIt(t *testing.T) {
	g := testGateway(t, testSite(t, "{}"), io.Discard)
	request := tokens.Request{
		Issuer: "https://gateway.example", ClientID: "lab-partner", Audience: "https://api.example", Thumbprint: [32]byte{1},
		Typ: tokens.TypAccessToken, Lifetime: time.Minute, NotAfter: time.Now().Add(time.Hour), At: time.Now(),
	}
	proof := new(int)
	obtain := func() (tokens.Token, bool) {
		st := g.holder.Load()
		token, hit, err := g.cache.Token(t.Context(), request, tokens.Basis{Proof: proof, Generation: st.Generation, Keys: st.Keys})
		if err != nil {
			t.Fatal(err)
		}
		return token, hit
	}
	first, _ := obtain()
	before := g.holder.Load()
	kid := before.Keys.All()[0].KID()
	if _, err := signer.RemoveCompromised(t.Context(), g.config.Keys.Directory, kid, signer.Options{}); err != nil {
		t.Fatal(err)
	}
	untilReported(t, g)
	if g.cache.Len() != 0 {
		t.Errorf("%d tokens are kept", g.cache.Len())
	}
	if token, hit := obtain(); hit || token.ID == first.ID {
		t.Error("the token of the removed key is served")
	}
	if after := g.holder.Load(); after.Generation != before.Generation+1 || !after.Statement.Equal(before.Statement) || after.Statement == nil {
		t.Errorf("generation %d after %d", after.Generation, before.Generation)
	}
}

func TestHealthTellsOfKeysThatCannotBeUsed(t *testing.T) {
	var log bytes.Buffer
	g := testGateway(t, testSite(t, "{}"), &log)
	if h := healthOf(t, g); !h.Healthy || h.Faults == nil || h.Warnings == nil || len(h.Warnings) != 0 {
		t.Fatalf("at first %+v", h)
	}
	bad := filepath.Join(g.config.Keys.Directory, "a.json")
	if err := os.WriteFile(bad, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	generation := g.holder.Load().Generation
	untilReported(t, g)
	if h := healthOf(t, g); h.Healthy || len(h.Faults) != 1 || !strings.Contains(h.Faults[0], "a.json: created") || h.Generation != generation {
		t.Errorf("with the fault %+v", h)
	}
	if !strings.Contains(log.String(), "level=ERROR msg=\"the last good keys stay in use\"") {
		t.Errorf("the log says %s", log.String())
	}
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	untilReported(t, g)
	if h := healthOf(t, g); !h.Healthy || h.Generation != generation {
		t.Errorf("mended %+v", h)
	}
}

func TestARemovedKeyGoesOutOfUseBesideAFault(t *testing.T) {
	var log bytes.Buffer
	g := testGateway(t, testSite(t, "{}"), &log)
	proof := new(int)
	obtain := func() error {
		st := g.holder.Load()
		_, _, err := g.cache.Token(t.Context(), tokens.Request{
			Issuer: "https://gateway.example", ClientID: "lab-partner", Audience: "https://api.example", Thumbprint: [32]byte{1},
			Typ: tokens.TypAccessToken, Lifetime: time.Minute, NotAfter: time.Now().Add(time.Hour), At: time.Now(),
		}, tokens.Basis{Proof: proof, Generation: st.Generation, Keys: st.Keys})
		return err
	}
	if err := obtain(); err != nil {
		t.Fatal(err)
	}
	st := g.holder.Load()
	kid := st.Keys.All()[0].KID()
	dir := g.config.Keys.Directory
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a.json"), []byte("{}"), 0o600), os.Remove(filepath.Join(dir, kid+".json"))); err != nil {
		t.Fatal(err)
	}
	untilReported(t, g)
	after := g.holder.Load()
	if _, there := after.Keys.Key(kid); there || after.Generation != st.Generation+1 || after.Statement == nil {
		t.Errorf("in use: %v, generation %d after %d", there, after.Generation, st.Generation)
	}
	var denial *decision.Denial
	if err := obtain(); !errors.As(err, &denial) || denial.Reason != decision.SigningKeyMissing {
		t.Errorf("a token is refused with %v", err)
	}
	if h := healthOf(t, g); h.Healthy || len(h.Faults) != 1 || !strings.Contains(h.Faults[0], "a.json") {
		t.Errorf("%+v", h)
	}
	if !strings.Contains(log.String(), "but for those that are gone") {
		t.Errorf("the log says %s", log.String())
	}
	recorder := httptest.NewRecorder()
	g.jwks().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, discovery.JWKSPath, nil))
	if recorder.Code != http.StatusOK || strings.TrimSpace(recorder.Body.String()) != `{"keys":[]}` {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}

func TestAFaultyStatementKeyIsToldAndNotUsed(t *testing.T) {
	var log bytes.Buffer
	g := testGateway(t, testSite(t, "{}"), &log)
	log.Reset()
	if err := os.WriteFile(filepath.Join(g.config.Keys.Directory, "statement.key"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	untilReported(t, g)
	if st := g.holder.Load(); st.Statement != nil || len(st.Keys.All()) != 1 {
		t.Errorf("%+v", st)
	}
	if h := healthOf(t, g); h.Healthy || len(h.Faults) != 1 || !strings.Contains(h.Faults[0], "statement.key: current") || len(h.Warnings) != 0 {
		t.Errorf("%+v", h)
	}
	if !strings.Contains(log.String(), "signed statements are refused") || strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), "gone") {
		t.Errorf("the log says %s", log.String())
	}
}

func TestTheProfileHoldsForTheKeysInTheFolder(t *testing.T) {
	for algorithm, says := range map[signer.Algorithm]string{
		signer.ES256: "", signer.PS256: "", signer.EdDSA: "",
		signer.RS256: "alg: RS256 is not allowed here, want ES256, PS256 or EdDSA", signer.ES384: "alg: ES384 is not allowed here",
	} {
		settings := testSite(t, "{}")
		if _, err := signer.Open(t.Context(), settings.Keys.Directory, signer.Options{Generate: true, Algorithm: algorithm}); err != nil {
			t.Fatal(err)
		}
		for profile, says := range map[config.Profile]string{config.ProfileNone: "", config.ProfileFAPI2: says} {
			settings.Profile = profile
			_, err := signer.NewKeeper(settings.Keys.Directory, keyOptions(settings), rotation(settings)).Open(t.Context())
			if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), ".json: "+says) {
				t.Errorf("%s under %s: %v", algorithm, profile, err)
			}
		}
	}
}

func TestWhatMayRefuseGoodTokensIsWarnedOf(t *testing.T) {
	for sentence, test := range map[string]struct {
		keys string
		want []string
	}{
		"nothing by default":                   {"{}", nil},
		"30 minutes of publication are enough": {"{publishAhead: 30m}", nil},
		"less are not":                         {"{publishAhead: 29m59s}", []string{"keys.publishAhead: 29m59s is less than 30m"}},
		"a schedule that makes too many keys":  {"{rotateEvery: 10m, publishAhead: 5m}", []string{"keys.publishAhead", "keys.rotateEvery: 10m makes more than 64 keys"}},
		"such a schedule that nobody follows":  {"{rotateEvery: 10m, publishAhead: 5m, generate: false}", []string{"keys.publishAhead"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			settings := testSite(t, test.keys)
			if _, err := signer.Rotate(t.Context(), settings.Keys.Directory, signer.Options{}, signer.Rotation{}); err != nil {
				t.Fatal(err)
			}
			h := healthOf(t, testGateway(t, settings, io.Discard))
			if len(h.Warnings) != len(test.want) || !h.Healthy {
				t.Fatalf("%+v", h)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(h.Warnings[i], want) {
					t.Errorf("warning %q, want %q", h.Warnings[i], want)
				}
			}
		})
	}
}

func TestWithoutGenerateAMissingStatementKeyIsAWarning(t *testing.T) {
	settings := testSite(t, "{generate: false}")
	if _, err := signer.Open(t.Context(), settings.Keys.Directory, signer.Options{Generate: true}); err != nil {
		t.Fatal(err)
	}
	g := testGateway(t, settings, io.Discard)
	if h := healthOf(t, g); !h.Healthy || len(h.Warnings) != 1 || !strings.Contains(h.Warnings[0], "statement.key") {
		t.Errorf("%+v", h)
	}
	if st := g.holder.Load(); st.Statement != nil || st.Keys == nil {
		t.Errorf("%+v", st)
	}
}

func TestTheScheduleIsFollowedByAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := testSite(t, "{rotateEvery: 2h, publishAhead: 1h}")
		keeper := signer.NewKeeper(settings.Keys.Directory, keyOptions(settings), rotation(settings))
		if _, err := keeper.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Minute)
		defer cancel()
		keeper.Run(ctx, func(signer.Report) {})
		keys, err := signer.Open(t.Context(), settings.Keys.Directory, signer.Options{})
		if err != nil || len(keys.All()) != 2 {
			t.Errorf("keys %v, %v", keys.All(), err)
		}
	})
}
