package revocation_test

import (
	"context"
	"errors"
	"fmt"
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
				s.says(nil, errors.New("down"))
				v = views{last: revocation.NewView(nil, nil, nil)}
				f = newFetcher(t, revocation.Options{Backend: &s, Publish: v.publish, Directory: folder})
				defer run(t, f)()
				want(t, f, "client", crlAt("http://ca.example/other.crl", ca))
				synctest.Wait() // which read the folder
				if err := errors.Join(os.Rename(files[0], elsewhere), replace(files[0], elsewhere)); err != nil {
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
