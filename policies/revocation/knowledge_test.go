package revocation_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// backend is a Backend of one function.
type backend func(ctx context.Context, q revocation.Query) ([]byte, error)

func (b backend) Fetch(ctx context.Context, q revocation.Query) ([]byte, error) { return b(ctx, q) }

// What a location has for other certificates, signed by the same CA and newer, takes
// back nothing of what it had: whoever stands between can serve it.
func TestAnotherKindOfListTakesNothingBack(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf, other := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "other"})
		onlyForCAs := []extension{distributionPoint(onlyCAs)}
		var s site
		s.says(from(list{by: ca, entries: []listed{revoking(leaf)}}, time.Now(), time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
		stop := run(t, f)
		want(t, f, "client", crlAt(crlURL, ca))
		synctest.Wait()
		s.says(from(list{by: ca, extensions: onlyForCAs}, time.Now().Add(time.Minute), 9*time.Hour).der(t), nil)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Errorf("when its list has ended: %s", got)
		}
		if problem := f.States()[0].Problem; problem != "" {
			t.Errorf("when no other list counts: %s", problem)
		}
		stop()
		if files, _ := filepath.Glob(filepath.Join(folder, "*.der")); len(files) != 2 {
			t.Errorf("%d files are kept", len(files))
		}
		v = views{}
		f = newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
		want(t, f, "client", crlAt(crlURL, ca))
		stop = run(t, f)
		defer stop()
		if err := f.Await(t.Context(), "client"); err != nil {
			t.Fatal(err)
		}
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Errorf("after a restart: %s", got)
		}
		// A newer list for all certificates has the place of each.
		s.says(from(list{by: ca, entries: []listed{revoking(other)}}, time.Now(), 24*time.Hour).der(t), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := v.judged(leaf, ca) + " " + v.judged(other, ca); got != "good certificate_revoked" {
			t.Errorf("after a new list: %s", got)
		}
		if files, _ := filepath.Glob(filepath.Join(folder, "*.der")); len(files) != 1 {
			t.Errorf("%d files are kept", len(files))
		}
	})
}

func TestTheFirstListOfALocationKeepsNoOtherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(from(list{by: ca, extensions: []extension{distributionPoint(onlyCAs)}}, time.Now(), 9000*time.Hour).der(t), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca))
		synctest.Wait()
		s.says(from(list{by: ca, extensions: []extension{distributionPoint(onlyUsers)}, entries: []listed{revoking(leaf)}}, time.Now(), 2*time.Hour).der(t), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Error(got)
		}
		if problem := f.States()[0].Problem; !strings.Contains(problem, "for other certificates") {
			t.Errorf("the change does not show: %q", problem)
		}
	})
}

func TestALocationKeepsListsOfFewKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		var kind int
		var v views
		f := newFetcher(t, revocation.Options{Publish: v.publish, Backend: backend(func(context.Context, revocation.Query) ([]byte, error) {
			kind++
			part := distributionPoint(fullName(uriName(fmt.Sprint("http://a/", kind))))
			return from(list{by: ca, extensions: []extension{part}}, time.Now(), time.Hour).der(t), nil
		})})
		stop := run(t, f)
		defer stop()
		want(t, f, "client", crlAt(crlURL, ca))
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if got := len(v.now().CRLs()); got != 16 || !strings.Contains(f.States()[0].Problem, "than 16 that are known") {
			t.Errorf("%d lists, %+v", got, f.States())
		}
	})
}

// A CA that certified the key of another writes what it likes around it.
func TestTheCertificateOfOneClientDoesNotStandInAnothersWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		certSign := x509.KeyUsageCertSign
		mute := issue(t, newCA(t, "Eve"), testca.Template{CommonName: "CA", CA: true, Key: ca.Key, KeyUsage: &certSign})
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.answer = func() ([]byte, error) {
			return from(list{by: ca, entries: []listed{revoking(leaf)}}, time.Now(), time.Hour).der(t), nil
		}
		for _, owners := range [][2]string{{"a", "b"}, {"b", "a"}} {
			var v views
			f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
			stop := run(t, f)
			want(t, f, owners[0], crlAt(crlURL, mute))
			want(t, f, owners[1], crlAt(crlURL, ca))
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if got := v.judged(leaf, ca); got != "certificate_revoked" {
				t.Error(got)
			}
			stop()
		}
	})
}

func TestOneHostThatStallsKeepsNoOtherFromBeingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		stalls := func(ctx context.Context, q revocation.Query) ([]byte, error) {
			if strings.Contains(q.URL, "stalls.example") {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if q.Body != nil {
				return answer{about: leaf, issuer: ca, template: ocsp.Response{ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}}.der(t), nil
			}
			return from(list{by: ca}, time.Now(), time.Hour).der(t), nil
		}
		var v views
		f := newFetcher(t, revocation.Options{Backend: backend(stalls), Publish: v.publish})
		stop := run(t, f)
		defer stop()
		for i := range 100 {
			one := *leaf.Certificate
			one.SerialNumber = big.NewInt(int64(i + 1))
			if err := f.Ask("slow", revocation.Location{URL: "http://stalls.example/ocsp", Issuers: path(ca), Certificate: &one}); err != nil {
				t.Fatal(err)
			}
			want(t, f, fmt.Sprint("slow ", i), crlAt(fmt.Sprint("http://STALLS.example/", i), ca))
		}
		synctest.Wait()
		want(t, f, "client", crlAt(crlURL, ca))
		if err := f.Ask("client", revocation.Location{URL: "http://ca.example/ocsp", Issuers: path(ca), Certificate: leaf.Certificate}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, state := range f.States() {
			if strings.Contains(state.Name, "ca.example") && state.Asked.IsZero() {
				t.Errorf("%+v", state)
			}
		}
		if got := v.judged(leaf, ca); got != "good" {
			t.Error(got)
		}
	})
}

func TestAListThatEndsAtOnceIsNotAskedForAllTheTime(t *testing.T) {
	for refresh, most := range map[time.Duration]int{0: 21, 2 * time.Second: 310} {
		synctest.Test(t, func(t *testing.T) {
			ca := newCA(t, "CA")
			var s site
			s.answer = func() ([]byte, error) { return from(list{by: ca}, time.Now(), 2*time.Second).der(t), nil }
			var v views
			f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Refresh: refresh})
			stop := run(t, f)
			defer stop()
			want(t, f, "client", crlAt(crlURL, ca))
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if got := len(s.times()); got > most || got < most*9/10 {
				t.Errorf("refresh %s: asked %d times in ten minutes", refresh, got)
			}
		})
	}
}

func TestNoOwnerFillsTheQuotaOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, eve := newCA(t, "CA"), newCA(t, "Eve")
		large := from(list{by: eve}, time.Now(), time.Hour)
		for range 100 {
			large.entries = append(large.entries, listed{serial: big.NewInt(7)})
		}
		hostile, small := large.der(t), from(list{by: ca}, time.Now(), time.Hour).der(t)
		var v views
		f := newFetcher(t, revocation.Options{Publish: v.publish, Quota: int64(len(hostile)) * 4, Backend: backend(func(_ context.Context, q revocation.Query) ([]byte, error) {
			if strings.Contains(q.URL, "eve.example") {
				return hostile, nil
			}
			return small, nil
		})})
		stop := run(t, f)
		defer stop()
		var all []revocation.Location
		for i := range 8 {
			all = append(all, crlAt(fmt.Sprint("http://eve.example/", i), eve)...)
		}
		want(t, f, "eve", all)
		synctest.Wait()
		want(t, f, "client", append(crlAt("http://ca.example/1", ca), crlAt("http://ca.example/2", ca)...))
		synctest.Wait()
		taken := make(map[string]int)
		for _, state := range f.States() {
			if !state.NextUpdate.IsZero() {
				taken[state.Name[:11]]++
			}
		}
		if taken["http://eve."] != 1 || taken["http://ca.e"] != 2 {
			t.Errorf("%v: %+v", taken, f.States())
		}
	})
}

func TestTheOldestQuestionMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		var v views
		gone := issue(t, ca, testca.Template{CommonName: "gone", SerialNumber: big.NewInt(1)})
		f := newFetcher(t, revocation.Options{Publish: v.publish, Backend: backend(func(ctx context.Context, q revocation.Query) ([]byte, error) {
			request, err := ocsp.ParseRequest(q.Body)
			if err != nil {
				return nil, err
			}
			if request.SerialNumber.Cmp(gone.Certificate.SerialNumber) == 0 {
				return answer{about: gone, issuer: ca, template: ocsp.Response{Status: ocsp.Revoked, RevokedAt: time.Now(), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}}.der(t), nil
			}
			return nil, fmt.Errorf("unknown")
		})})
		stop := run(t, f)
		defer stop()
		ask := func(serial int64, end time.Time) {
			t.Helper()
			one := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: end, RawIssuer: ca.Certificate.RawSubject}
			if err := f.Ask("client", revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: &one}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		end := time.Now().Add(time.Hour)
		for i := range int64(1016) {
			ask(i+1, end)
		}
		expired := time.Now().Add(time.Minute)
		ask(2, end) // came up again
		ask(2000, expired)
		ask(2001, end)
		time.Sleep(2 * time.Minute)
		ask(2002, end)
		synctest.Wait()
		if got := len(f.States()); got != 1016 {
			t.Errorf("%d questions", got)
		}
		// 3, the oldest, made room for 2000, then 4 for 2001, and 2000 itself for 2002.
		for serial, known := range map[int64]bool{1: true, 2: true, 3: false, 4: false, 5: true, 2000: false, 2001: true, 2002: true} {
			one := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: end, RawIssuer: ca.Certificate.RawSubject}
			if got := f.Wants("client", revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: &one}); got != known {
				t.Errorf("%d is asked about: %v", serial, got)
			}
		}
		if got := v.judged(gone, ca); got != "certificate_revoked" {
			t.Error(got)
		}
		if err := f.Ask("client", revocation.Location{URL: "http://other.example/", Issuers: path(ca), Certificate: gone.Certificate}); err != nil {
			t.Error(err)
		}
	})
}

func TestAGoodAnswerOfTheSameTimeDoesNotTakeARevocationBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		start := time.Now()
		says := func(status int, at time.Time) []byte {
			return answer{about: leaf, issuer: ca, template: ocsp.Response{Status: status, RevokedAt: start, ThisUpdate: at, NextUpdate: start.Add(10 * time.Hour)}}.der(t)
		}
		var s site
		s.says(says(ocsp.Revoked, start), nil)
		var v views
		f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
		stop := run(t, f)
		defer stop()
		if err := f.Ask("client", revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: leaf.Certificate}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.says(says(ocsp.Good, start), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Errorf("of the same time: %s", got)
		}
		s.says(says(ocsp.Good, time.Now()), nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("of later: %s", got)
		}
	})
}

func TestManyChangesAtOnceMakeFewViews(t *testing.T) {
	ca := newCA(t, "CA")
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	var count int
	var tried sync.WaitGroup
	tried.Add(8)
	f := newFetcher(t, revocation.Options{
		Publish: func(*revocation.View) { count++; entered <- struct{}{}; <-release },
		Backend: backend(func(_ context.Context, q revocation.Query) ([]byte, error) {
			return list{by: ca, this: time.Now(), next: time.Now().Add(time.Hour)}.der(t), nil
		}),
		Tried: func(revocation.Location, error) { tried.Done() },
	})
	stop := run(t, f)
	for i := range 8 {
		if err := f.Want(fmt.Sprint(i), crlAt(fmt.Sprintf("http://ca%d.example/", i), ca)); err != nil {
			t.Fatal(err)
		}
	}
	<-entered
	for known := 0; known < 8; {
		known = 0
		for _, state := range f.States() {
			if !state.NextUpdate.IsZero() {
				known++
			}
		}
	}
	close(release)
	tried.Wait()
	stop()
	if count != 2 {
		t.Errorf("%d views", count)
	}
}

// logged is a slog.Handler's writer that is read by the test.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestTheQuotaOfTheDiskIsItsOwn(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		der := from(list{by: ca}, time.Now(), time.Hour).der(t)
		foreign := filepath.Join(folder, "somebody's own")
		if err := os.WriteFile(foreign, make([]byte, len(der)), 0o600); err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(folder, "half.tmp")
		if err := os.WriteFile(left, make([]byte, 10*len(der)), 0o600); err != nil {
			t.Fatal(err)
		}
		var s site
		s.says(der, nil)
		var v views
		var log logged
		o := revocation.Options{Backend: &s, Publish: v.publish, Directory: folder, Quota: int64(len(der)) * 3 / 2, Log: slog.New(slog.NewTextHandler(&log, nil))}
		f := newFetcher(t, o)
		stop := run(t, f)
		want(t, f, "client", crlAt(crlURL, ca))
		synctest.Wait()
		stop()
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("what has no room on disk is %s", got)
		}
		if files, _ := filepath.Glob(filepath.Join(folder, "*")); len(files) != 1 || files[0] != foreign {
			t.Errorf("%v", files)
		}
		if !strings.Contains(log.String(), "the quota of") {
			t.Errorf("logged %q", log.String())
		}
	})
}

// keptIn has the folder keep the list of a CA, of an hour, from crlURL. It returns the file.
func keptIn(t *testing.T, folder string, ca *testca.Issued) string {
	t.Helper()
	var s site
	s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
	var v views
	f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
	stop := run(t, f)
	want(t, f, "client", crlAt(crlURL, ca))
	synctest.Wait()
	stop()
	files, _ := filepath.Glob(filepath.Join(folder, "*.der"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	return files[0]
}

func TestOnlyARegularFileIsReadAgain(t *testing.T) {
	for sentence, replace := range map[string]func(path, kept string) error{
		"a link to it":   func(path, kept string) error { return os.Symlink(kept, path) },
		"a pipe":         func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":       func(path, _ string) error { return os.Mkdir(path, 0o700) },
		"the file":       func(path, kept string) error { return os.Rename(kept, path) },
		"one too large":  func(path, _ string) error { return os.WriteFile(path, binary.BigEndian.AppendUint64(nil, 7), 0o600) },
		"one of nothing": func(path, _ string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(sentence, func(t *testing.T) {
			folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "kept")
			synctest.Test(t, func(t *testing.T) {
				ca := newCA(t, "CA")
				leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
				file := keptIn(t, folder, ca)
				if err := os.Rename(file, elsewhere); err != nil {
					t.Fatal(err)
				}
				if err := replace(file, elsewhere); err != nil {
					t.Fatal(err)
				}
				var s site
				s.says(nil, fmt.Errorf("down"))
				v := views{last: revocation.NewView(nil, nil, nil)}
				f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
				want(t, f, "client", crlAt(crlURL, ca))
				stop := run(t, f)
				synctest.Wait()
				stop()
				expected := "revocation_unavailable"
				if sentence == "the file" {
					expected = "good"
				}
				if got := v.judged(leaf, ca); got != expected {
					t.Errorf("%s, want %s", got, expected)
				}
			})
		})
	}
}
