package revocation_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// site is a Backend in the place of the network: it answers what the test says
// and counts.
type site struct {
	mu      sync.Mutex
	answer  func() ([]byte, error)
	asked   []time.Time
	running int
	most    int
	takes   time.Duration
}

func (s *site) Fetch(ctx context.Context, _ revocation.Query) ([]byte, error) {
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	s.running++
	s.most = max(s.most, s.running)
	answer, takes := s.answer, s.takes
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.running--; s.mu.Unlock() }()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(takes):
		return answer()
	}
}

func (s *site) says(der []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = func() ([]byte, error) { return der, err }
}

func (s *site) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// views remembers the last View.
type views struct {
	mu    sync.Mutex
	last  *revocation.View
	count int
}

func (v *views) publish(view *revocation.View) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.count = view, v.count+1
}

func (v *views) now() *revocation.View {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

func (v *views) judged(leaf, ca *testca.Issued) string {
	return outcome(v.now().Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, time.Now()))
}

func newFetcher(t testing.TB, o revocation.Options) *revocation.Fetcher {
	t.Helper()
	f, err := revocation.NewFetcher(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run runs the Fetcher until the test, or what is returned, ends it.
func run(t testing.TB, f *revocation.Fetcher) context.CancelFunc {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Run(ctx) }()
	return func() { cancel(); <-done }
}

func crlAt(url string, issuers ...*testca.Issued) []revocation.Location {
	return []revocation.Location{{URL: url, Issuers: path(issuers...)}}
}

func want(t testing.TB, f *revocation.Fetcher, owner string, locations []revocation.Location) {
	t.Helper()
	if err := f.Want(owner, locations); err != nil {
		t.Fatal(err)
	}
	f.Settle()
}

// from is a list that was made at a time and ends so long after.
func from(l list, at time.Time, lasts time.Duration) list {
	l.this, l.next = at, at.Add(lasts)
	return l
}

const crlURL = "http://ca.example/ca.crl"

func TestALocationIsAskedBeforeWhatIsKnownEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.answer = func() ([]byte, error) { return from(list{by: ca}, time.Now(), time.Hour).der(t), nil }
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca))
		for range 600 {
			synctest.Wait()
			if got := v.judged(leaf, ca); got != "good" {
				t.Fatalf("%s at %s", got, time.Now())
			}
			time.Sleep(time.Minute)
		}
		asked := s.times()
		for i := 1; i < len(asked); i++ {
			if gap := asked[i].Sub(asked[i-1]); gap < 29*time.Minute || gap > 46*time.Minute {
				t.Errorf("asked again after %s", gap)
			}
		}
		if len(asked) < 13 {
			t.Errorf("asked %d times in ten hours", len(asked))
		}
	})
}

func TestALocationThatFailsIsAskedEverMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(nil, errors.New("refused"))
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca))
		time.Sleep(time.Hour)
		synctest.Wait()
		asked := s.times()
		for i := 1; i < len(asked); i++ {
			most := min(time.Second<<(i-1), 5*time.Minute)
			if gap := asked[i].Sub(asked[i-1]); gap < most/2 || gap > most {
				t.Errorf("after failure %d asked again after %s", i, gap)
			}
		}
		if state := f.States()[0]; state.Failures != len(asked) || state.Problem != "refused" || state.Name != crlURL {
			t.Errorf("%+v", state)
		}
		s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("after it came back: %s", got)
		}
		if state := f.States()[0]; state.Failures != 0 || state.Problem != "" || state.Asked.IsZero() || state.NextUpdate.IsZero() {
			t.Errorf("%+v", state)
		}
	})
}

// What a location answers instead of a good list, after it had one from an hour
// ago in which the leaf is revoked.
func TestWhatIsKnownIsReplacedOnlyByWhatFollowsIt(t *testing.T) {
	for sentence, c := range map[string]struct {
		then func(t *testing.T, ca, other, leaf *testca.Issued) ([]byte, error)
		want string // of the leaf
		fail string // part of the problem
	}{
		"a newer list without it": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, number: 3}, time.Now(), time.Hour).der(t), nil
		}, "good", ""},
		"an older list without it": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, number: 3}, time.Now().Add(-2*time.Hour), 9*time.Hour).der(t), nil
		}, "certificate_revoked", "older"},
		"a list of that time with a lower number": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, number: 1}, time.Now().Add(-10*time.Minute), 8*time.Hour).der(t), nil
		}, "certificate_revoked", "lower than"},
		"two lists": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			one := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: from(list{by: ca}, time.Now(), time.Hour).der(t)})
			return append(one, one...), nil
		}, "certificate_revoked", "2 CRLs"},
		"a list with a bad signature": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, spoil: true}, time.Now(), time.Hour).der(t), nil
		}, "certificate_revoked", "not signed"},
		"a list with a bad signature, and entries that are none": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, spoil: true, written: []byte{5, 0}}, time.Now(), time.Hour).der(t), nil
		}, "certificate_revoked", "not signed"},
		"a list with entries that are none": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, written: []byte{5, 0}}, time.Now(), time.Hour).der(t), nil
		}, "certificate_revoked", "entry 1 of the CRL"},
		"a list of another CA": {func(t *testing.T, _, other, _ *testca.Issued) ([]byte, error) {
			return from(list{by: other}, time.Now(), time.Hour).der(t), nil
		}, "certificate_revoked", "another name"},
		"a list for other certificates": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, extensions: []extension{distributionPoint(onlyCAs)}}, time.Now(), time.Hour).der(t), nil
		}, "certificate_revoked", "for other certificates"},
		"a delta": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca, extensions: []extension{{ce(27), true, []byte{2, 1, 1}}}}, time.Now(), time.Hour).der(t), nil
		}, "certificate_revoked", "for other certificates"},
		"a list of tomorrow": {func(t *testing.T, ca, _, _ *testca.Issued) ([]byte, error) {
			return from(list{by: ca}, time.Now().Add(24*time.Hour), time.Hour).der(t), nil
		}, "certificate_revoked", "of the future"},
		"a page of HTML": {func(*testing.T, *testca.Issued, *testca.Issued, *testca.Issued) ([]byte, error) {
			return []byte("<html>"), nil
		}, "certificate_revoked", "no PEM block"},
		"nothing": {func(*testing.T, *testca.Issued, *testca.Issued, *testca.Issued) ([]byte, error) {
			return nil, errors.New("down")
		}, "certificate_revoked", "down"},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, other := newCA(t, "CA"), newCA(t, "Other")
				leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
				var s site
				s.says(from(list{by: ca, number: 2, entries: []listed{{serial: leaf.Certificate.SerialNumber, since: time.Now()}}}, time.Now(), 8*time.Hour).der(t), nil)
				var v views
				f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
				stop := run(t, f)
				defer stop()
				want(t, f, "client", crlAt(crlURL, ca))
				synctest.Wait()
				time.Sleep(10 * time.Minute)
				der, err := c.then(t, ca, other, leaf)
				s.says(der, err)
				time.Sleep(51 * time.Minute)
				synctest.Wait()
				if got := v.judged(leaf, ca); got != c.want {
					t.Errorf("the leaf is %s, want %s", got, c.want)
				}
				if problem := f.States()[0].Problem; !strings.Contains(problem, c.fail) || c.fail == "" && problem != "" {
					t.Errorf("problem %q, want %q", problem, c.fail)
				}
			})
		})
	}
}

func TestAListThatHasEndedIsKnownAndAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf, gone := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "gone"})
		var s site
		s.says(from(list{by: ca, entries: []listed{revoking(gone)}}, time.Now().Add(-2*time.Hour), time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca))
		synctest.Wait()
		if got := v.judged(gone, ca); got != "certificate_revoked" {
			t.Errorf("the revoked one is %s", got)
		}
		if got := v.judged(leaf, ca); got != "revocation_stale" {
			t.Errorf("the other is %s", got)
		}
		if state := f.States()[0]; !strings.Contains(state.Problem, "ended at") {
			t.Errorf("%+v", state)
		}
	})
}

func TestAResponderIsAskedAboutEachCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		var status atomic.Int32 // ocsp.Good
		s.answer = func() ([]byte, error) {
			return answer{about: leaf, issuer: ca, noNext: true, template: ocsp.Response{Status: int(status.Load()), ThisUpdate: time.Now(), RevokedAt: time.Now()}}.der(t), nil
		}
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		l := revocation.Location{URL: "http://ca.example/ocsp", Issuers: path(ca), Certificate: leaf.Certificate}
		for range 2 {
			if err := f.Ask("client", l); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Await(t.Context(), "client"); err != nil {
			t.Fatal(err)
		}
		if got := v.judged(leaf, ca); got != "good" || len(s.times()) != 1 {
			t.Errorf("%s, asked %d times", got, len(s.times()))
		}
		status.Store(ocsp.Revoked)
		time.Sleep(8 * time.Minute)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Errorf("after it was revoked: %s", got)
		}
	})
}

func TestAFirstCheckWaitsNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		s := site{takes: time.Minute}
		s.says(nil, errors.New("never"))
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := f.Await(ctx, "client"); err == nil || time.Since(start) != 300*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		time.Sleep(31 * time.Second) // the fetch is given up
		synctest.Wait()
		if state := f.States()[0]; state.Failures != 1 {
			t.Errorf("%+v", state)
		}
		if err := f.Await(t.Context(), "client"); err != nil {
			t.Error(err)
		}
		if err := f.Await(t.Context(), "stranger"); err != nil {
			t.Error(err)
		}
	})
}

func TestOneLocationIsFetchedOnceForAllAndFewAreAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		s := site{takes: time.Second}
		s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		other := newCA(t, "Other")
		want(t, f, "one", crlAt(crlURL, ca))
		want(t, f, "two", crlAt(crlURL, ca))
		want(t, f, "three", crlAt(crlURL, other)) // its own, and the same fetch
		synctest.Wait()
		if len(s.times()) != 1 {
			t.Errorf("%d fetches", len(s.times()))
		}
		for i := range 20 {
			want(t, f, fmt.Sprint("client ", i), crlAt(fmt.Sprintf("http://ca%d.example/", i), ca))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s.most != 8 {
			t.Errorf("%d at once", s.most)
		}
	})
}

func TestWhatNobodyWantsAnyMoreIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "one", crlAt(crlURL, ca))
		want(t, f, "two", crlAt(crlURL, ca))
		synctest.Wait()
		want(t, f, "one", nil)
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("the other owner has %s", got)
		}
		want(t, f, "two", nil)
		if got := v.judged(leaf, ca); got != "revocation_unavailable" || len(f.States()) != 0 {
			t.Errorf("%s, %d locations", got, len(f.States()))
		}
		before := len(s.times())
		time.Sleep(10 * time.Hour)
		if len(s.times()) != before {
			t.Error("still asked")
		}
	})
}

func TestLocationsAreBoundedAndHeldToTheirForm(t *testing.T) {
	ca := newCA(t, "CA")
	f := newFetcher(t, revocation.Options{Backend: &site{}, Publish: func(*revocation.View) {}})
	many := func(n int) []revocation.Location {
		var all []revocation.Location
		for i := range n {
			all = append(all, revocation.Location{URL: fmt.Sprintf("http://ca.example/%d", i), Issuers: path(ca)})
		}
		return all
	}
	for sentence, c := range map[string]struct {
		locations []revocation.Location
		ok        bool
	}{
		"16 locations":                   {many(16), true},
		"17 locations":                   {many(17), false},
		"no issuer":                      {crlAt(crlURL), false},
		"a location that is LDAP":        {crlAt("ldap://ca.example/", ca), false},
		"two issuers of one certificate": {[]revocation.Location{{URL: crlURL, Issuers: path(ca, ca), Certificate: ca.Certificate}}, false},
	} {
		if err := f.Want("client", c.locations); (err == nil) != c.ok {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if err := f.Ask("client", crlAt("http://ca.example/17", ca)[0]); err == nil {
		t.Error("one more was asked")
	}
}

func TestListsOfFilesStandBesideThoseOfLocations(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	var v views
	f := newFetcher(t, revocation.Options{Backend: &site{}, Publish: v.publish})
	f.Files([]*revocation.CRL{list{by: ca, entries: []listed{revoking(leaf)}}.parsed(t)})
	if got := v.judged(leaf, ca); got != "certificate_revoked" {
		t.Error(got)
	}
	f.Files(nil)
	if got := v.judged(leaf, ca); got != "revocation_unavailable" {
		t.Error(got)
	}
}

func TestWhatWasFetchedIsKnownAfterARestart(t *testing.T) {
	for sentence, c := range map[string]struct {
		change func(t *testing.T, folder string, ca *testca.Issued)
		down   time.Duration
		leaf   string
		gone   string
	}{
		"as it was":        {nil, time.Minute, "good", "certificate_revoked"},
		"a day later":      {nil, 24 * time.Hour, "revocation_stale", "certificate_revoked"},
		"a file changed":   {overwrite([]byte("garbage")), time.Minute, "revocation_unavailable", "revocation_unavailable"},
		"a file of others": {replaced, time.Minute, "revocation_unavailable", "revocation_unavailable"},
	} {
		t.Run(sentence, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "fetched")
			synctest.Test(t, func(t *testing.T) {
				ca := newCA(t, "CA")
				leaf, gone := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "gone"})
				var s site
				s.says(from(list{by: ca, entries: []listed{revoking(gone)}}, time.Now(), time.Hour).der(t), nil)
				var v views
				first := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
				stop := run(t, first)
				want(t, first, "client", crlAt(crlURL, ca))
				synctest.Wait()
				stop()
				if c.change != nil {
					c.change(t, folder, ca)
				}
				time.Sleep(c.down)
				s.says(nil, errors.New("down"))
				v = views{last: revocation.NewView(nil, nil, nil)}
				second := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
				want(t, second, "client", crlAt(crlURL, ca))
				stop = run(t, second)
				defer stop()
				if err := second.Await(t.Context(), "client"); err != nil {
					t.Fatal(err)
				}
				if got := v.judged(leaf, ca); got != c.leaf {
					t.Errorf("the leaf is %s, want %s", got, c.leaf)
				}
				if got := v.judged(gone, ca); got != c.gone {
					t.Errorf("the revoked one is %s, want %s", got, c.gone)
				}
			})
		})
	}
}

func overwrite(with []byte) func(*testing.T, string, *testca.Issued) {
	return func(t *testing.T, folder string, _ *testca.Issued) {
		files, err := filepath.Glob(filepath.Join(folder, "*.der"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%v, %v", files, err)
		}
		if err := os.WriteFile(files[0], with, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func replaced(t *testing.T, folder string, _ *testca.Issued) {
	overwrite(from(list{by: newCA(t, "CA")}, time.Now(), time.Hour).der(t))(t, folder, nil)
}

func TestTheQuotaHoldsAndWhatNobodyWantsMakesRoom(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		der := from(list{by: ca}, time.Now(), time.Hour).der(t)
		var s site
		s.says(der, nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder, Quota: int64(len(der)) * 3 / 2})
		stop := run(t, f)
		defer stop()
		want(t, f, "one", crlAt("http://ca.example/1", ca))
		synctest.Wait()
		want(t, f, "two", crlAt("http://ca.example/2", ca))
		synctest.Wait()
		states := f.States()
		if states[0].Problem != "" || !strings.Contains(states[1].Problem, "quota") {
			t.Errorf("%+v", states)
		}
		want(t, f, "one", nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if problem := f.States()[0].Problem; problem != "" {
			t.Error(problem)
		}
		if files, _ := filepath.Glob(filepath.Join(folder, "*")); len(files) != 1 {
			t.Errorf("%v", files)
		}
	})
}

func TestNoClientsCAGetsIntoThePlaceOfAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, eve := newCA(t, "CA"), newCA(t, "Eve")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(from(list{by: ca, entries: []listed{revoking(leaf)}}, time.Now(), time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "one", crlAt(crlURL, ca))
		want(t, f, "two", crlAt(crlURL, eve))
		synctest.Wait()
		time.Sleep(time.Minute)
		s.says(from(list{by: eve}, time.Now(), 24*time.Hour).der(t), nil)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Error(got)
		}
	})
}

func TestAListOfOneCADoesNotReplaceThatOfAnotherOfTheSameLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, other := newCA(t, "CA"), newCA(t, "Other")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(from(list{by: ca, entries: []listed{revoking(leaf)}}, time.Now(), 8*time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca, other))
		synctest.Wait()
		s.says(from(list{by: other}, time.Now(), 24*time.Hour).der(t), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Error(got)
		}
	})
}

func TestAnAnswerThatRevokesIsKnownAfterARestartThoughItHasEnded(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(answer{about: leaf, issuer: ca, noNext: true, template: ocsp.Response{Status: ocsp.Revoked, ThisUpdate: time.Now(), RevokedAt: time.Now()}}.der(t), nil)
		var v views
		for range 2 {
			v = views{last: revocation.NewView(nil, nil, nil)}
			f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
			if err := f.Ask("client", revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: leaf.Certificate}); err != nil {
				t.Fatal(err)
			}
			stop := run(t, f)
			if err := f.Await(t.Context(), "client"); err != nil {
				t.Fatal(err)
			}
			if got := v.judged(leaf, ca); got != "certificate_revoked" {
				t.Error(got)
			}
			stop()
			s.says(nil, errors.New("down"))
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestTheQuestionsOfAClientAreBounded(t *testing.T) {
	ca := newCA(t, "CA")
	f := newFetcher(t, revocation.Options{Backend: &site{}, Publish: func(*revocation.View) {}})
	var all []revocation.Location
	for i := range 1017 {
		all = append(all, revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: &x509.Certificate{SerialNumber: big.NewInt(int64(i))}})
	}
	if err := f.Want("client", all); err == nil {
		t.Error("1017 questions")
	}
	if err := f.Want("client", all[1:]); err != nil {
		t.Error(err)
	}
}

func TestTheQuestionsOfAllClientsLeaveRoomForLists(t *testing.T) {
	ca := newCA(t, "CA")
	f := newFetcher(t, revocation.Options{Backend: &site{}, Publish: func(*revocation.View) {}})
	for i := range 20_000 {
		about := &x509.Certificate{SerialNumber: big.NewInt(int64(i)), NotAfter: time.Now().Add(time.Hour)}
		owner := fmt.Sprint("client ", i/900)
		_ = f.Ask(owner, revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: about}) // many are too many
	}
	if n := len(f.States()); n != 8000 {
		t.Errorf("%d questions are asked", n)
	}
	want(t, f, "another", crlAt(crlURL, ca))
	want(t, f, "client 0", nil)
	if err := f.Ask("another", revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: ca.Certificate}); err != nil {
		t.Errorf("with one client gone: %v", err)
	}
}

func TestWhatIsDroppedLeavesWithTheNextView(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		defer run(t, f)()
		want(t, f, "client", crlAt(crlURL, ca))
		want(t, f, "another", crlAt(crlURL, ca))
		synctest.Wait()
		f.Drop("client", crlAt(crlURL, ca)[0])
		f.Drop("nobody", crlAt(crlURL, ca)[0])
		f.Files(nil)
		if got := v.judged(leaf, ca); got != "good" || f.Wants("client", crlAt(crlURL, ca)[0]) {
			t.Errorf("dropped by one of two it is %s", got)
		}
		f.Drop("another", crlAt(crlURL, ca)[0])
		f.Files(nil)
		if got := v.judged(leaf, ca); got != "revocation_unavailable" || len(f.States()) != 0 {
			t.Errorf("dropped by both it is %s", got)
		}
	})
}

func TestAnswersAboutCertificatesThatCameAndWentDoNotFillTheFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i := range 20_000 {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%040x.00000000.der", i)), []byte{0}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		var s site
		s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: new(views).publish, Directory: folder})
		defer run(t, f)()
		want(t, f, "one", crlAt(crlURL, ca))
		synctest.Wait()
		want(t, f, "two", crlAt("http://ca.example/2", ca))
		synctest.Wait()
		files, err := filepath.Glob(filepath.Join(folder, "*.der"))
		if old, _ := filepath.Glob(filepath.Join(folder, "00000000*.der")); err != nil || len(files) != 15_001 || len(files)-len(old) != 2 {
			t.Errorf("%d files, %d of them of before, %v", len(files), len(old), err)
		}
	})
}

func TestWhatIsKnownOfALocationOutlivesAChangeOfItsIssuers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca, added := newCA(t, "CA"), newCA(t, "added")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		der := from(list{by: ca}, time.Now(), time.Hour).der(t)
		var s site
		s.says(der, nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
		stop := run(t, f)
		want(t, f, "client", crlAt(crlURL, ca))
		synctest.Wait()
		s.says(nil, errors.New("down"))
		want(t, f, "client", crlAt(crlURL, ca, added))
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("with another CA beside it is %s", got)
		}
		s.says(der, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		s.says(nil, errors.New("down"))
		v = views{last: revocation.NewView(nil, nil, nil)}
		f = newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
		defer run(t, f)()
		want(t, f, "client", crlAt(crlURL, ca, added))
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("after a restart it is %s", got)
		}
		want(t, f, "client", crlAt(crlURL, added))
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "revocation_unavailable" {
			t.Errorf("with its CA gone it is %s", got)
		}
	})
}
