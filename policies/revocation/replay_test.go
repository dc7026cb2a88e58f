package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// Whoever stands between has what the CA signed before: it is older and still counts.
// It takes nothing back, from the same location and from another, after a restart too.
func TestAReplayTakesNoRevocationBack(t *testing.T) {
	for sentence, byOCSP := range map[string]bool{"a list": false, "an answer": true} {
		t.Run(sentence, func(t *testing.T) {
			folder := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				ca := newCA(t, "CA")
				leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
				start := time.Now()
				says := func(revoked bool, at time.Time) []byte {
					if byOCSP {
						template := ocsp.Response{ThisUpdate: at, NextUpdate: start.Add(100 * time.Hour)}
						if revoked {
							template.Status, template.RevokedAt = ocsp.Revoked, at
						}
						return answer{about: leaf, issuer: ca, template: template}.der(t)
					}
					l := list{by: ca, this: at, next: start.Add(100 * time.Hour)}
					if revoked {
						l.entries = []listed{revoking(leaf)}
					}
					return l.der(t)
				}
				good, revoked := says(false, start.Add(-time.Hour)), says(true, start)
				var s site
				s.says(good, nil)
				var v views
				begin := func() (*revocation.Fetcher, context.CancelFunc) {
					f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
					return f, run(t, f)
				}
				asks := func(f *revocation.Fetcher, owner, url string) {
					t.Helper()
					l := revocation.Location{URL: url, Issuers: path(ca)}
					if byOCSP {
						l.Certificate = leaf.Certificate
					}
					if err := f.Ask(owner, l); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				expect := func(when, want string) {
					t.Helper()
					if got := v.judged(leaf, ca); got != want {
						t.Errorf("%s it is %s, want %s", when, got, want)
					}
				}
				f, stop := begin()
				asks(f, "client", "http://ca.example/")
				expect("before", "good")
				s.says(revoked, nil)
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				expect("then", "certificate_revoked")
				s.says(good, nil)
				time.Sleep(5 * time.Hour)
				synctest.Wait()
				expect("with the one of before again", "certificate_revoked")
				if problem := f.States()[0].Problem; !strings.Contains(problem, "older") {
					t.Errorf("it does not show: %q", problem)
				}
				asks(f, "other", "http://other.example/")
				expect("with the one of before elsewhere", "certificate_revoked")
				want(t, f, "client", nil)
				time.Sleep(time.Hour)
				synctest.Wait()
				expect("with the one of before alone", "certificate_revoked")
				stop()
				v = views{}
				f, stop = begin()
				defer stop()
				asks(f, "client", "http://ca.example/")
				time.Sleep(time.Hour)
				synctest.Wait()
				expect("after a restart", "certificate_revoked")
				s.says(says(false, time.Now()), nil)
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				expect("with a newer one", "good")
			})
		})
	}
}

// removeFromCRL takes nothing off before the next full list, which takes a hold back.
func TestAHoldEndsWithAFullListAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		delta := extension{ce(27), true, []byte{2, 1, 1}}
		full, deltas := site{}, site{}
		full.says(from(list{by: ca, entries: []listed{revoking(leaf, reasonCode(6))}}, time.Now(), 100*time.Hour).der(t), nil)
		deltas.says(nil, errors.New("none yet"))
		var v views
		f := newFetcher(t, revocation.Options{Publish: v.publish, Backend: backend(func(ctx context.Context, q revocation.Query) ([]byte, error) {
			if strings.HasSuffix(q.URL, "delta.crl") {
				return deltas.Fetch(ctx, q)
			}
			return full.Fetch(ctx, q)
		})})
		defer run(t, f)()
		want(t, f, "client", append(crlAt(crlURL, ca), crlAt("http://ca.example/delta.crl", ca)...))
		for _, step := range []struct {
			when string
			says func()
			want string
		}{
			{"on hold", func() {}, "certificate_revoked"},
			{"taken off by a delta", func() {
				deltas.says(from(list{by: ca, extensions: []extension{delta}, entries: []listed{revoking(leaf, reasonCode(8))}}, time.Now(), 100*time.Hour).der(t), nil)
			}, "certificate_revoked"},
			{"not on the next full list", func() { full.says(from(list{by: ca}, time.Now(), 100*time.Hour).der(t), nil) }, "good"},
			{"on hold by a delta", func() {
				deltas.says(from(list{by: ca, extensions: []extension{delta}, entries: []listed{revoking(leaf, reasonCode(6))}}, time.Now(), 100*time.Hour).der(t), nil)
			}, "certificate_revoked"},
		} {
			step.says()
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if got := v.judged(leaf, ca); got != step.want {
				t.Errorf("%s it is %s, want %s", step.when, got, step.want)
			}
		}
	})
}

// The folder was read when something else comes into the place of a file.
func TestWhatComesIntoThePlaceOfAFileIsNotFollowed(t *testing.T) {
	for sentence, replace := range map[string]func(path, kept string) error{
		"a link to it": func(path, kept string) error { return os.Symlink(kept, path) },
		"a pipe":       func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(sentence, func(t *testing.T) {
			folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "kept")
			synctest.Test(t, func(t *testing.T) {
				ca := newCA(t, "CA")
				leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
				file := keptIn(t, folder, ca)
				var s site
				s.says(nil, errors.New("down"))
				v := views{last: revocation.NewView(nil, nil, nil)}
				f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
				defer run(t, f)()
				want(t, f, "client", crlAt("http://ca.example/other.crl", ca))
				synctest.Wait() // which read the folder
				if err := errors.Join(os.Rename(file, elsewhere), replace(file, elsewhere)); err != nil {
					t.Fatal(err)
				}
				want(t, f, "client", crlAt(crlURL, ca))
				if err := f.Await(t.Context(), "client"); err != nil {
					t.Fatal(err)
				}
				if got := v.judged(leaf, ca); got != "revocation_unavailable" {
					t.Error(got)
				}
			})
		})
	}
}

func TestFewListsAreReadAtOnce(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var s site
		s.says(from(list{by: ca}, time.Now(), time.Hour).der(t), nil)
		for _, when := range []string{"when it is fetched", "when it is read from disk"} {
			v := views{last: revocation.NewView(nil, nil, nil)}
			f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
			one, two := f.Reading(t.Context()), f.Reading(t.Context())
			stop := run(t, f)
			want(t, f, "client", crlAt(crlURL, ca))
			synctest.Wait()
			if got := v.judged(leaf, ca); got != "revocation_unavailable" {
				t.Errorf("%s beside two others it is %s", when, got)
			}
			one()
			synctest.Wait()
			if got := v.judged(leaf, ca); got != "good" {
				t.Errorf("%s beside another it is %s", when, got)
			}
			two()
			stop()
			s.says(nil, errors.New("down"))
		}
	})
}

func TestFewLocationsOfAPathAreAsked(t *testing.T) {
	ca := newCA(t, "CA")
	var urls []string
	for i := range 100 {
		urls = append(urls, fmt.Sprintf("http://ca.example/%d", i))
	}
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: urls})
	if n := len(revocation.LocationsOf(path(leaf, ca), leaf.Certificate.Equal, nil)); n != 64 {
		t.Errorf("%d locations", n)
	}
}

// What is newer is not always for the same certificates, and what is for more is not
// always newer. Each has its place, in a location and beside the locations.
func TestAListGivesWayOnlyToANewerOneForItsCertificates(t *testing.T) {
	onlyCA, onlyUser := []extension{distributionPoint(onlyCAs)}, []extension{distributionPoint(onlyUsers)}
	ca := newCA(t, "CA")
	twin := newCA(t, "CA") // of the same name, with another key
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	has := []listed{revoking(leaf)}
	for sentence, c := range map[string]struct {
		first, next list
		later       time.Duration
		want        string
	}{
		"a newer one":                        {list{by: ca, entries: has}, list{by: ca}, time.Minute, "good"},
		"a newer one of another key":         {list{by: ca, entries: has}, list{by: twin}, time.Minute, "certificate_revoked"},
		"a newer one for CAs":                {list{by: ca, entries: has}, list{by: ca, extensions: onlyCA}, time.Minute, "certificate_revoked"},
		"an older one":                       {list{by: ca, entries: has}, list{by: ca}, -time.Minute, "certificate_revoked"},
		"a newer one for all in its place":   {list{by: ca, entries: has, extensions: onlyUser}, list{by: ca}, time.Minute, "good"},
		"an older one for all in its place":  {list{by: ca, entries: has, extensions: onlyUser}, list{by: ca}, -time.Minute, "certificate_revoked"},
		"one for all of another key instead": {list{by: ca, entries: has, extensions: onlyUser}, list{by: twin}, time.Minute, "certificate_revoked"},
	} {
		for _, left := range []bool{false, true} {
			t.Run(fmt.Sprint(sentence, ", its location gone: ", left), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					serves := func(l list, at time.Time) []byte {
						l.this, l.next = at, start.Add(100*time.Hour)
						return l.der(t)
					}
					var s site
					s.says(serves(c.first, start), nil)
					var v views
					f := newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish})
					defer run(t, f)()
					want(t, f, "client", crlAt(crlURL, ca, twin))
					synctest.Wait()
					s.says(serves(c.next, start.Add(c.later)), nil)
					if left {
						want(t, f, "client", nil)
						want(t, f, "other", crlAt("http://other.example/", ca, twin))
					}
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					if got := v.judged(leaf, ca); got != c.want {
						t.Errorf("it is %s, want %s", got, c.want)
					}
				})
			})
		}
	}
}

func TestWhatIsLeftIsBoundedAndTheCAWithTheMostMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const share = 10
		ca, eve := newCA(t, "CA"), newCA(t, "Eve")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		part := func(by *testca.Issued, url string) []byte {
			return from(list{by: by, entries: []listed{revoking(leaf)}, extensions: []extension{distributionPoint(fullName(uriName(url)))}}, time.Now(), 100*time.Hour).der(t)
		}
		var v views
		var log logged
		size := len(part(eve, "http://eve.example/1-1")) + 8 // signatures differ in length
		f := newFetcher(t, revocation.Options{Publish: v.publish, Quota: int64(4 * share * size), Log: slog.New(slog.NewTextHandler(&log, nil)),
			Backend: backend(func(_ context.Context, q revocation.Query) ([]byte, error) {
				if strings.Contains(q.URL, "eve.example") {
					return part(eve, q.URL), nil
				}
				return part(ca, q.URL), nil
			})})
		defer run(t, f)()
		leaves := func(owner string, locations []revocation.Location) {
			t.Helper()
			want(t, f, owner, locations)
			synctest.Wait()
			want(t, f, owner, nil)
			time.Sleep(time.Minute)
		}
		leaves("client", crlAt("http://ca.example/1-1", ca))
		for i := range 10 {
			var all []revocation.Location
			for j := range 5 {
				all = append(all, crlAt(fmt.Sprintf("http://eve.example/%d-%d", i, j), eve)...)
			}
			leaves("eve", all)
		}
		if n := len(v.now().CRLs()); n > share || n < share/2 {
			t.Errorf("%d lists are left", n)
		}
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Errorf("the other CA's list is gone: %s", got)
		}
		if !strings.Contains(log.String(), "some are forgotten") {
			t.Errorf("the log says %q", log.String())
		}
	})
}

func TestWhatSomebodyHasNewerIsNotLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		start := time.Now()
		var v views
		f := newFetcher(t, revocation.Options{Publish: v.publish, Backend: backend(func(_ context.Context, q revocation.Query) ([]byte, error) {
			switch {
			case q.Body != nil:
				return vouching(ca, q)
			case q.URL == crlURL:
				return from(list{by: ca, entries: []listed{revoking(leaf)}}, start, 100*time.Hour).der(t), nil
			}
			return from(list{by: ca}, start.Add(time.Minute), 100*time.Hour).der(t), nil
		})})
		defer run(t, f)()
		want(t, f, "client", crlAt(crlURL, ca))
		want(t, f, "other", crlAt("http://ca.example/newer.crl", ca))
		synctest.Wait()
		if got := v.judged(leaf, ca); got != "certificate_revoked" {
			t.Errorf("with both it is %s", got)
		}
		want(t, f, "client", nil)
		if got := v.judged(leaf, ca); got != "good" {
			t.Errorf("with the newer it is %s", got)
		}
		want(t, f, "other", nil)
		question := revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: leaf.Certificate}
		for _, step := range []struct {
			wants []revocation.Location
			want  string
		}{{[]revocation.Location{question}, "good"}, {nil, "revocation_unavailable"}} {
			want(t, f, "client", step.wants)
			synctest.Wait()
			if got := v.judged(leaf, ca); got != step.want {
				t.Errorf("by an answer, asked %d, it is %s", len(step.wants), got)
			}
		}
	})
}
