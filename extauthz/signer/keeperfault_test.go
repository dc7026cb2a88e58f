package signer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// faults are what a folder may have besides a key that is removed. Each leaves the
// vector's key a good one.
func faults() map[string]func(t *testing.T, dir string) {
	return map[string]func(t *testing.T, dir string){
		"a statement key that is gone": func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "statement.key"))) },
		"a statement key that is none": func(t *testing.T, dir string) { writeFile(t, dir, "statement.key", "{}", 0o600) },
		"a statement key that others may read": func(t *testing.T, dir string) {
			must(t, os.Chmod(filepath.Join(dir, "statement.key"), 0o644))
		},
		"a file that is no key":          func(t *testing.T, dir string) { writeFile(t, dir, "a.json", "{}", 0o600) },
		"a key that leads nowhere":       func(t *testing.T, dir string) { must(t, os.Symlink("nowhere", filepath.Join(dir, "a.json"))) },
		"a folder that others may write": func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o720)) },
		"a folder with too many files": func(t *testing.T, dir string) {
			for i := range 1024 {
				writeFile(t, dir, fmt.Sprint(i), "", 0o600)
			}
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestARemovedKeyGoesOutOfUseWhateverElseIsFaulty(t *testing.T) {
	for sentence, breakIt := range faults() {
		for _, first := range []string{"the fault", "the removal"} {
			t.Run(sentence+", "+first+" first", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					k := keep(t, signer.Options{}, signer.Rotation{})
					openStatement(t, k.dir, signer.Options{Generate: true})
					kid := k.kids(t)[0]
					writeFile(t, k.dir, vectorName, vectorFile, 0o600)
					if r := k.one(t); len(r.Set.Keys.All()) != 2 || r.Set.Statement == nil {
						t.Fatalf("at first %+v", r)
					}
					steps := []func(){
						func() { breakIt(t, k.dir) },
						func() { must(t, os.Remove(filepath.Join(k.dir, kid+".json"))) },
					}
					if first == "the removal" {
						steps[0], steps[1] = steps[1], steps[0]
					}
					changed := false
					var last signer.Report
					for _, step := range steps {
						step()
						for _, report := range k.after(time.Second) {
							changed, last = changed || report.Changed, report
						}
					}
					if _, there := last.Set.Keys.Key(kid); there || !changed || last.Fault == nil {
						t.Errorf("it is in use: %v; %+v", there, last)
					}
					if _, there := last.Set.Keys.Key(vectorKID); !there {
						t.Error("the other key went as well")
					}
					if reports := k.after(time.Minute); len(reports) != 0 {
						t.Errorf("then %+v", reports)
					}
				})
			})
		}
	}
}

func TestTheLastKeyGoesOutOfUseAndNothingSigns(t *testing.T) {
	for sentence, takeIt := range map[string]func(k *kept, path string) error{
		"its file is removed":            func(_ *kept, path string) error { return os.Remove(path) },
		"its link leads nowhere":         func(_ *kept, path string) error { return errors.Join(os.Remove(path), os.Symlink("nowhere", path)) },
		"what replaced it is unreadable": replaceUnreadably,
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t, signer.Options{Generate: true}, signer.Rotation{PublishAhead: time.Minute, Every: time.Hour})
				kid := k.kids(t)[0]
				must(t, takeIt(k, filepath.Join(k.dir, kid+".json")))
				r := k.one(t)
				if !r.Changed || r.Fault == nil || r.Set.Keys == nil || len(r.Set.Keys.All()) != 0 || r.Set.Statement == nil {
					t.Fatalf("%+v", r)
				}
				if _, err := r.Set.Keys.Signing(time.Now()); !errors.Is(err, signer.ErrNoSigningKey) {
					t.Errorf("error %v", err)
				}
				if jwks := string(r.Set.Keys.JWKS()); jwks != `{"keys":[]}` {
					t.Errorf("published %s", jwks)
				}
				if reports := k.after(2 * time.Hour); len(reports) != 0 {
					t.Errorf("then %+v", reports)
				}
				writeFile(t, k.dir, vectorName, vectorFile, 0o600)
				files, _ := filepath.Glob(filepath.Join(k.dir, "*.json"))
				for _, file := range files {
					if filepath.Base(file) != vectorName {
						must(t, os.Remove(file))
					}
				}
				if r := k.one(t); !r.Changed || r.Fault != nil || len(r.Set.Keys.All()) != 1 {
					t.Errorf("mended %+v", r)
				}
			})
		})
	}
}

// replaceUnreadably is `keys rotate --compromised` by who makes files that the
// serving process cannot use.
func replaceUnreadably(k *kept, path string) error {
	done, err := signer.RemoveCompromised(context.Background(), k.dir, strings.TrimSuffix(filepath.Base(path), ".json"), signer.Options{})
	if err != nil {
		return err
	}
	return os.Chmod(filepath.Join(k.dir, done.Signing.KID()+".json"), 0o640)
}

func TestAFaultOfTheStatementKeyTakesItAloneOutOfUse(t *testing.T) {
	for sentence, breakIt := range faults() {
		if !strings.HasPrefix(sentence, "a statement key") {
			continue
		}
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t, signer.Options{}, signer.Rotation{})
				openStatement(t, k.dir, signer.Options{Generate: true})
				k.one(t)
				path := filepath.Join(k.dir, "statement.key")
				good, err := os.ReadFile(path)
				must(t, err)
				breakIt(t, k.dir)
				if r := k.one(t); !r.Changed || r.Fault == nil || !strings.Contains(r.Fault.Error(), "statement") || r.Set.Statement != nil || len(r.Set.Keys.All()) != 1 {
					t.Fatalf("%+v", r)
				}
				writeFile(t, k.dir, vectorName, vectorFile, 0o600)
				if r := k.one(t); !r.Changed || r.Fault == nil || len(r.Set.Keys.All()) != 2 {
					t.Errorf("a key that came meanwhile: %+v", r)
				}
				must(t, errors.Join(os.RemoveAll(path), os.WriteFile(path, good, 0o600)))
				if r := k.one(t); !r.Changed || r.Fault != nil || r.Set.Statement == nil {
					t.Errorf("mended %+v", r)
				}
			})
		})
	}
}

func TestOneFaultIsToldOnce(t *testing.T) {
	for sentence, statement := range map[string]bool{"with a statement key": true, "whose statement key went": false} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t, signer.Options{Generate: true}, signer.Rotation{})
				must(t, os.Chmod(k.dir, 0o770))
				if !statement {
					must(t, os.Remove(filepath.Join(k.dir, "statement.key")))
				}
				r := k.one(t)
				if r.Fault == nil || strings.Count(r.Fault.Error(), "chmod go-w") != 1 || (r.Set.Statement != nil) != statement || len(r.Set.Keys.All()) != 1 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

func TestAFaultOfAKeyDoesNotStopTheStatementKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Generate: true}, signer.Rotation{})
		writeFile(t, k.dir, "a.json", "{}", 0o600)
		k.one(t)
		made, err := signer.ReplaceStatement(t.Context(), k.dir, signer.Options{})
		must(t, err)
		if r := k.one(t); !r.Changed || r.Fault == nil || !r.Set.Statement.Equal(made) || len(r.Set.Keys.All()) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestAMissingStatementKeyIsMadeAgainByAServerThatMakesKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Generate: true}, signer.Rotation{})
		old := openStatement(t, k.dir, signer.Options{})
		must(t, os.Remove(filepath.Join(k.dir, "statement.key")))
		r := k.one(t)
		if now := openStatement(t, k.dir, signer.Options{}); !r.Changed || r.Fault != nil || !r.Set.Statement.Equal(now) || now.Equal(old) {
			t.Errorf("%+v", r)
		}
		if reports := k.after(time.Minute); len(reports) != 0 {
			t.Errorf("then %+v", reports)
		}
	})
}

func holdLock(t *testing.T, dir string) (release func()) {
	t.Helper()
	held := flock.New(filepath.Join(dir, ".lock"))
	must(t, held.Lock())
	return func() { _ = held.Close() }
}

// The lock may be held for long, and a look that waits for it sees no removal.
func TestALookDoesNotWaitForTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Generate: true}, signer.Rotation{})
		release := holdLock(t, k.dir)
		must(t, os.Remove(filepath.Join(k.dir, "statement.key")))
		if r := k.one(t); r.Fault == nil || !strings.Contains(r.Fault.Error(), "lock") || r.Set.Statement != nil {
			t.Errorf("%+v", r)
		}
		release()
		if reports := k.after(11 * time.Second); len(reports) != 1 || reports[0].Fault != nil || reports[0].Set.Statement == nil {
			t.Errorf("%+v", reports)
		}
	})
}
