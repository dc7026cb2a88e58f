package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/certbearer/certbearer/extauthz/testca"
)

const (
	rotations     = 5
	restarts      = 2
	rotationTakes = time.Minute
	// pause is between two requests of a caller: the load is bounded.
	pause = 20 * time.Millisecond
)

// While keys are rotated and certbearer is restarted, requests go on: with a
// certificate alone, and with tokens of the token endpoint, old and new. Behind
// Envoy stands a verifier that reads the key set as often as its max-age says and
// not more often, whatever kid it meets.
func TestRotationUnderLoadRefusesNoValidToken(t *testing.T) {
	realEnvoy(t)
	issued := selfSigned(t, testca.Template{CommonName: "partner"})
	w := open(t, plan{
		settings: "{keys: {publishAhead: 4s, rotateEvery: 0s}, injectedTokenLifetime: 10s}",
		clients:  map[string]document{"partner": trusting(issued).with("accessTokenLifetime", "10m")},
	})
	g := w.envoy()
	r := &rotating{gate: g, ask: ask{as: presents(issued)}, verifier: &cachingVerifier{gate: g}, stop: make(chan struct{}), kids: map[string]int{}}
	r.get(t) // so that there is an old token from the start
	if err := r.verifier.refresh(); err != nil {
		t.Fatal(err)
	}
	r.under(func() { r.rotate(t) })
	r.report(t)
}

// under runs what is to happen while the load is on.
func (r *rotating) under(act func()) {
	var load sync.WaitGroup
	defer load.Wait()
	defer close(r.stop)
	for range 3 {
		load.Go(r.useCertificate)
	}
	load.Go(r.useTokens)
	load.Go(r.getTokens)
	load.Go(r.verify)
	act()
}

// rotating is the load, and what has come of it.
type rotating struct {
	gate     *gate
	ask      ask
	verifier *cachingVerifier
	stop     chan struct{}

	mu     sync.Mutex
	tokens []string
	faults []string
	kids   map[string]int

	restarting atomic.Bool
	answered   atomic.Int64
	withToken  atomic.Int64
	verified   atomic.Int64
}

// rotate spreads rotations and restarts over the time there is. It ends when the
// last key has signed what came to the upstream: until then a kept token may be in
// use.
func (r *rotating) rotate(t *testing.T) {
	t.Helper()
	began := time.Now()
	w := r.gate.world
	for i := range rotations {
		waitUntil(began.Add(rotationTakes * time.Duration(i) / rotations))
		mustRun(t, "keys", "rotate", "--config", w.config)
		if i >= restarts {
			continue
		}
		// In the middle of it: the new key is published and does not sign yet.
		r.restarting.Store(true)
		if code := w.serve.stop(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		w.start()
		r.gate.until(t, "requests are answered again", r.ask, hasStatus(http.StatusOK))
		r.restarting.Store(false)
	}
	waitUntil(began.Add(rotationTakes))
	eventually(t, "a token of every key has come to the upstream", func() bool { return r.keysSeen() == rotations+1 })
}

func (r *rotating) keysSeen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.kids)
}

func waitUntil(at time.Time) { <-time.After(time.Until(at)) }

func (r *rotating) stopped() bool {
	select {
	case <-r.stop:
		return true
	case <-time.After(pause):
		return false
	}
}

func (r *rotating) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// expect takes any answer but a refusal while certbearer is away, and 200 else.
func (r *rotating) expect(what string, a ask) {
	away := r.restarting.Load()
	got, err := r.gate.try(a)
	switch {
	case err != nil:
		r.fault("%s: %v", what, err)
	case got.status == http.StatusOK:
		r.answered.Add(1)
	case got.status == http.StatusServiceUnavailable && (away || r.restarting.Load()):
	default:
		r.fault("%s: status %d, %s", what, got.status, got.body)
	}
}

func (r *rotating) useCertificate() {
	for !r.stopped() {
		r.expect("the certificate alone", r.ask)
	}
}

// useTokens uses the oldest token and the newest in turn: neither has expired.
func (r *rotating) useTokens() {
	for !r.stopped() {
		r.mu.Lock()
		both := []string{r.tokens[0], r.tokens[len(r.tokens)-1]}
		r.mu.Unlock()
		for _, token := range both {
			a := r.ask
			a.header = http.Header{"Authorization": {"Bearer " + token}}
			r.expect("a token of the token endpoint", a)
			r.withToken.Add(1)
		}
	}
}

func (r *rotating) getTokens() {
	for tick := 0; !r.stopped(); tick++ {
		if tick%25 != 0 {
			continue
		}
		if token, err := r.gate.accessToken(r.ask, url.Values{"client_id": {"partner"}}); err == nil {
			r.mu.Lock()
			r.tokens = append(r.tokens, token)
			r.mu.Unlock()
		} else if !r.restarting.Load() {
			r.fault("no token: %v", err)
		}
	}
}

func (r *rotating) get(t *testing.T) {
	t.Helper()
	token, err := r.gate.accessToken(r.ask, url.Values{"client_id": {"partner"}})
	if err != nil {
		t.Fatal(err)
	}
	r.tokens = []string{token}
}

// accessToken asks the token endpoint with the certificate.
func (g *gate) accessToken(a ask, form url.Values) (string, error) {
	form = maps.Clone(form)
	form.Set("grant_type", "client_credentials")
	a.method, a.path = http.MethodPost, "/oauth2/token"
	a.header, a.body = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode()
	got, err := g.try(a)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusOK || answer.AccessToken == "" {
		return "", fmt.Errorf("status %d: %s", got.status, got.oauth)
	}
	return answer.AccessToken, nil
}

// verify does what the upstream's verifier does, as requests arrive.
func (r *rotating) verify() {
	seen := 0
	for last := false; !last; {
		last = r.stopped()
		for _, received := range r.gate.world.upstream.since(seen) {
			seen++
			kid, err := r.verifier.verify(received.Header["Authorization"], &r.restarting)
			if err != nil {
				r.fault("the upstream: %v", err)
				continue
			}
			r.mu.Lock()
			r.kids[kid]++
			r.mu.Unlock()
			r.verified.Add(1)
		}
	}
}

func (r *rotating) report(t *testing.T) {
	t.Helper()
	t.Logf("%d answers, %d with a token, %d tokens verified behind Envoy, by key: %v", r.answered.Load(), r.withToken.Load(), r.verified.Load(), r.kids)
	for i, fault := range r.faults {
		if i == 10 {
			t.Errorf("and %d more", len(r.faults)-i)
			break
		}
		t.Error(fault)
	}
	if r.answered.Load() < 500 || r.withToken.Load() < 100 {
		t.Error("that was no load")
	}
}

// cachingVerifier keeps the key set for its max-age.
type cachingVerifier struct {
	gate    *gate
	keys    jose.JSONWebKeySet
	fetched time.Time
	maxAge  time.Duration
}

var maxAge = regexp.MustCompile(`max-age=(\d+)`)

func (c *cachingVerifier) refresh() error {
	if !c.fetched.IsZero() && time.Since(c.fetched) < c.maxAge {
		return nil
	}
	at := time.Now()
	got, err := c.gate.try(ask{path: "/.well-known/jwks.json"})
	if err != nil {
		return err
	}
	found := maxAge.FindStringSubmatch(got.header.Get("Cache-Control"))
	if got.status != http.StatusOK || found == nil {
		return fmt.Errorf("the key set is a %d with Cache-Control %q", got.status, got.header.Get("Cache-Control"))
	}
	seconds, err := strconv.Atoi(found[1])
	if err != nil {
		return err
	}
	c.keys = jose.JSONWebKeySet{}
	c.fetched, c.maxAge = at, time.Duration(seconds)*time.Second
	return json.Unmarshal([]byte(got.body), &c.keys)
}

// verify uses the kept set, a stale one only where no new one can be had because
// certbearer is away.
func (c *cachingVerifier) verify(header []string, away *atomic.Bool) (kid string, err error) {
	wasAway := away.Load()
	if err := c.refresh(); err != nil && !wasAway && !away.Load() {
		return "", err
	}
	if len(header) != 1 {
		return "", fmt.Errorf("%d Authorization headers", len(header))
	}
	parsed, err := jose.ParseSignedCompact(strings.TrimPrefix(header[0], "Bearer "), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}
	kid = parsed.Signatures[0].Header.KeyID
	if len(c.keys.Key(kid)) == 0 {
		return "", fmt.Errorf("kid %s is not in a set of %d keys that is %v old", kid, len(c.keys.Keys), time.Since(c.fetched))
	}
	_, err = parsed.Verify(c.keys)
	return kid, err
}
