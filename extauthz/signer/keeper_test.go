package signer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// kept is a folder with a keeper at work in a synctest bubble.
type kept struct {
	*folder
	keeper *signer.Keeper

	mutex   sync.Mutex
	reports []signer.Report
}

func (k *kept) tell(r signer.Report) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.reports = append(k.reports, r)
}

func (k *kept) told() []signer.Report {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	told := k.reports
	k.reports = nil
	return told
}

// keep opens the folder and runs a keeper, in a bubble whose clock is the
// keeper's, until the test ends.
func keep(t *testing.T, options signer.Options, rotation signer.Rotation) *kept {
	t.Helper()
	k := &kept{folder: &folder{dir: filepath.Join(t.TempDir(), "keys")}}
	if _, err := signer.Open(t.Context(), k.dir, signer.Options{Generate: true}); err != nil {
		t.Fatal(err)
	}
	k.keeper = signer.NewKeeper(k.dir, options, rotation)
	if _, err := k.keeper.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.keeper.Run(ctx, k.tell)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return k
}

// after lets time pass and returns what the keeper told in it.
func (k *kept) after(d time.Duration) []signer.Report {
	k.told()
	time.Sleep(d)
	synctest.Wait()
	k.now = time.Now()
	return k.told()
}

// one is the only report within a second.
func (k *kept) one(t *testing.T) signer.Report {
	t.Helper()
	reports := k.after(time.Second)
	if len(reports) != 1 {
		t.Fatalf("%d reports: %+v", len(reports), reports)
	}
	return reports[0]
}

func TestAChangedFolderIsReadWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Generate: true}, signer.Rotation{PublishAhead: time.Hour, LongestLife: time.Hour})
		if reports := k.after(time.Minute); len(reports) != 0 {
			t.Errorf("told %+v of nothing", reports)
		}
		writeFile(t, k.dir, vectorName, vectorFile, 0o600)
		if r := k.one(t); !r.Changed || r.Fault != nil || len(r.Set.Keys.All()) != 2 {
			t.Errorf("a key that came: %+v", r)
		}
		if err := os.Remove(filepath.Join(k.dir, vectorName)); err != nil {
			t.Fatal(err)
		}
		if r := k.one(t); !r.Changed || r.Fault != nil || len(r.Set.Keys.All()) != 1 {
			t.Errorf("a key that went: %+v", r)
		}
		if err := os.Chtimes(filepath.Join(k.dir, "statement.key"), time.Time{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if r := k.one(t); r.Changed || !r.Read || r.Fault != nil {
			t.Errorf("a file that was touched: %+v", r)
		}
	})
}

func TestAFaultKeepsTheLastGoodKeysUntilItIsMended(t *testing.T) {
	kid := func(r signer.Report) string { return r.Set.Keys.All()[0].KID() }
	for sentence, breakIt := range map[string]func(t *testing.T, k *kept) (mend func()){
		"a file that is no key": func(t *testing.T, k *kept) func() {
			writeFile(t, k.dir, "a.json", "{}", 0o600)
			return func() { _ = os.Remove(filepath.Join(k.dir, "a.json")) }
		},
		"a key that others may read": func(t *testing.T, k *kept) func() {
			path := filepath.Join(k.dir, k.kids(t)[0]+".json")
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			return func() { _ = os.Chmod(path, 0o600) }
		},
		"an emptied folder, in which nothing is made": func(t *testing.T, k *kept) func() {
			if err := errors.Join(os.Rename(k.dir, k.dir+"-away"), os.Mkdir(k.dir, 0o700)); err != nil {
				t.Fatal(err)
			}
			return func() { _ = errors.Join(os.Remove(k.dir), os.Rename(k.dir+"-away", k.dir)) }
		},
		"a folder that others may write": func(t *testing.T, k *kept) func() {
			if err := os.Chmod(k.dir, 0o770); err != nil {
				t.Fatal(err)
			}
			return func() { _ = os.Chmod(k.dir, 0o700) }
		},
		"a folder that is gone, and is not made": func(t *testing.T, k *kept) func() {
			if err := os.Rename(k.dir, k.dir+"-away"); err != nil {
				t.Fatal(err)
			}
			return func() { _ = os.Rename(k.dir+"-away", k.dir) }
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t, signer.Options{Generate: true}, signer.Rotation{PublishAhead: time.Hour})
				want := k.kids(t)[0]
				mend := breakIt(t, k)
				if r := k.one(t); r.Fault == nil || r.Changed || kid(r) != want || r.Set.Statement == nil {
					t.Errorf("on the fault %+v", r)
				}
				if reports := k.after(time.Minute); len(reports) != 0 {
					t.Errorf("the same fault is told %d times more", len(reports))
				}
				mend()
				if r := k.one(t); r.Fault != nil || r.Changed || kid(r) != want {
					t.Errorf("when mended %+v", r)
				}
			})
		})
	}
}

func TestAReloadMakesAKeyInAnEmptiedFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Generate: true}, signer.Rotation{PublishAhead: time.Hour})
		if err := os.RemoveAll(k.dir); err != nil {
			t.Fatal(err)
		}
		k.one(t)
		k.keeper.Reload()
		if r := k.after(time.Millisecond)[0]; !r.Changed || r.Fault != nil || len(k.kids(t)) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestKeysFollowEachOtherBySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		k := keep(t, signer.Options{Generate: true}, signer.Rotation{PublishAhead: time.Minute, Every: 10 * time.Minute, LongestLife: 5 * time.Minute})
		first, statement := k.kids(t)[0], openStatement(t, k.dir, signer.Options{})
		if reports := k.after(9*time.Minute - time.Second); len(reports) != 0 {
			t.Errorf("told %+v before anything was due", reports)
		}
		reports := k.after(2 * time.Second)
		if len(reports) != 2 || reports[0].Upkeep.Made == nil || !reports[1].Changed || len(reports[1].Set.Keys.All()) != 2 {
			t.Fatalf("at the time of publication %+v", reports)
		}
		second := reports[0].Upkeep.Made
		if want := began.Add(10 * time.Minute).Truncate(time.Second); second.SignsFrom().Before(want) || second.SignsFrom().After(want.Add(time.Second)) {
			t.Errorf("the second key signs from %v, want %v", second.SignsFrom(), want)
		}
		if now := openStatement(t, k.dir, signer.Options{}); now.Equal(statement) {
			t.Error("the statement key was not rotated")
		}
		if k.signing(t) != first {
			t.Error("the second key signs before its time")
		}
		k.after(time.Minute)
		if k.signing(t) != second.KID() {
			t.Error("the second key does not sign")
		}
		// Its last token expires 5 minutes later, and it stays for one more.
		if reports := k.after(6*time.Minute - 4*time.Second); len(reports) != 0 || len(k.kids(t)) != 2 {
			t.Errorf("before the first key's end: %+v", reports)
		}
		reports = k.after(8 * time.Second)
		if len(reports) != 2 || len(reports[0].Upkeep.Removed) != 1 || reports[0].Upkeep.Removed[0].KID() != first || len(k.kids(t)) != 1 {
			t.Errorf("at the first key's end: %+v", reports)
		}
		k.after(2 * time.Hour)
		if kids := k.kids(t); len(kids) > 3 {
			t.Errorf("two hours later there are %q", kids)
		}
	})
}

func TestALateScheduleStillPublishesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "keys")
		yesterday := func() time.Time { return time.Now().Add(-24 * time.Hour) }
		if _, err := signer.Open(t.Context(), dir, signer.Options{Generate: true, Now: yesterday}); err != nil {
			t.Fatal(err)
		}
		k := &kept{folder: &folder{dir: dir}, keeper: signer.NewKeeper(dir, signer.Options{Generate: true},
			signer.Rotation{PublishAhead: time.Hour, Every: 2 * time.Hour, LongestLife: time.Hour})}
		if _, err := k.keeper.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		k.keeper.Run(ctx, k.tell)
		k.now = time.Now()
		keys := k.keys(t).All()
		if len(keys) != 2 || keys[1].SignsFrom().Sub(keys[1].Created()) < time.Hour {
			t.Errorf("keys %v, from %v", keys, keys[1].SignsFrom())
		}
	})
}

func TestWithoutGenerateAServerWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{}, signer.Rotation{PublishAhead: time.Second, Every: 2 * time.Second})
		k.after(time.Hour)
		k.keeper.Reload()
		reports := k.after(time.Hour)
		names, err := os.ReadDir(k.dir)
		if err != nil || len(names) != 2 { // the key, and the lock of who made it
			t.Errorf("%v, %v", names, err)
		}
		if len(reports) != 1 || reports[0].Set.Statement != nil || reports[0].Fault != nil {
			t.Errorf("reports %+v", reports)
		}
	})
}

func TestAKeyThatCannotBeMadeIsAFaultUntilItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Generate: true, Algorithm: "ES512"}, signer.Rotation{PublishAhead: time.Minute, Every: 2 * time.Minute})
		reports := k.after(time.Hour)
		if len(reports) != 1 || reports[0].UpkeepFault == nil || !strings.Contains(reports[0].UpkeepFault.Error(), "ES512") {
			t.Fatalf("reports %+v", reports)
		}
		// Another process, which is set up well, does it.
		if _, err := signer.Rotate(t.Context(), k.dir, signer.Options{}, signer.Rotation{PublishAhead: time.Minute}); err != nil {
			t.Fatal(err)
		}
		reports = k.after(2 * time.Second)
		if last := reports[len(reports)-1]; last.UpkeepFault != nil || last.Fault != nil {
			t.Errorf("reports %+v", reports)
		}
	})
}

func TestTwoServersOnOneFolderMakeOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rotation := signer.Rotation{PublishAhead: time.Minute, Every: 2 * time.Minute, LongestLife: time.Minute}
		k := keep(t, signer.Options{Generate: true}, rotation)
		other := signer.NewKeeper(k.dir, signer.Options{Generate: true}, rotation)
		if _, err := other.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); other.Run(ctx, func(signer.Report) {}) }()
		k.after(90 * time.Second)
		if kids := k.kids(t); len(kids) != 2 {
			t.Errorf("keys %q", kids)
		}
		cancel()
		<-ended
	})
}

func TestAKeeperThatCannotReadAtTheStartSaysSo(t *testing.T) {
	keeper := signer.NewKeeper(t.TempDir(), signer.Options{}, signer.Rotation{})
	if set, err := keeper.Open(t.Context()); !errors.Is(err, signer.ErrNoKeys) || set.Keys != nil {
		t.Errorf("%+v, %v", set, err)
	}
}
