package signer_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// folder is a keys folder with a clock.
type folder struct {
	dir string
	now time.Time
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{dir: filepath.Join(t.TempDir(), "keys"), now: epoch.Add(900 * time.Millisecond)}
	if _, err := signer.Open(t.Context(), f.dir, f.options()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *folder) options() signer.Options {
	return signer.Options{Generate: true, Now: func() time.Time { return f.now }}
}

func (f *folder) keys(t *testing.T) *signer.Keys {
	t.Helper()
	keys, err := signer.Open(t.Context(), f.dir, signer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (f *folder) kids(t *testing.T) []string {
	t.Helper()
	var kids []string
	for _, key := range f.keys(t).All() {
		kids = append(kids, key.KID())
	}
	return kids
}

func (f *folder) signing(t *testing.T) string {
	t.Helper()
	key, err := f.keys(t).Signing(f.now)
	if err != nil {
		t.Fatal(err)
	}
	return key.KID()
}

func (f *folder) rotate(t *testing.T) signer.Rotated {
	t.Helper()
	done, err := signer.Rotate(t.Context(), f.dir, f.options(), daily)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestANewKeyIsPublishedBeforeItSigns(t *testing.T) {
	f := newFolder(t)
	first := f.signing(t)
	done := f.rotate(t)
	if done.Before.KID() != first || len(done.Removed) != 0 || f.signing(t) != first {
		t.Errorf("done %+v while %s signs", done, f.signing(t))
	}
	made, published := f.keys(t).Key(done.Made.KID())
	if !published {
		t.Fatal("the new key is not published")
	}
	// The clock is 0.9 s after a whole second, of which a file can hold no part.
	if want := epoch.Add(time.Hour + time.Second); !made.SignsFrom().Equal(want) {
		t.Errorf("signs from %v, want %v", made.SignsFrom(), want)
	}
	f.now = made.SignsFrom()
	if f.signing(t) != made.KID() {
		t.Error("the new key does not sign when its time has come")
	}
}

func TestOnlyOneKeyWaitsAtATime(t *testing.T) {
	f := newFolder(t)
	made := f.rotate(t).Made
	statement := openStatement(t, f.dir, signer.Options{})
	_, err := signer.Rotate(t.Context(), f.dir, f.options(), daily)
	var waits *signer.WaitingError
	if !errors.As(err, &waits) || waits.KID != made.KID() || !strings.Contains(err.Error(), made.KID()) || !strings.Contains(err.Error(), "2026-03-01T13:00:01Z") {
		t.Errorf("error %v", err)
	}
	if kids := f.kids(t); len(kids) != 2 || !openStatement(t, f.dir, signer.Options{}).Equal(statement) {
		t.Errorf("keys %q", kids)
	}
	f.now = made.SignsFrom()
	f.rotate(t)
	if kids := f.kids(t); len(kids) != 3 {
		t.Errorf("keys %q", kids)
	}
}

func TestAnOldKeyGoesWhenItsLastTokenHasExpired(t *testing.T) {
	f := newFolder(t)
	first := f.signing(t)
	second := f.rotate(t).Made
	f.now = second.SignsFrom().Add(25*time.Hour - 1)
	third := f.rotate(t).Made
	if kids := f.kids(t); !slices.Contains(kids, first) {
		t.Error("the first key went early")
	}
	f.now = third.SignsFrom()
	done := f.rotate(t)
	if len(done.Removed) != 1 || done.Removed[0].KID() != first {
		t.Errorf("removed %v", done.Removed)
	}
	if kids := f.kids(t); slices.Contains(kids, first) || len(kids) != 3 {
		t.Errorf("keys %q", kids)
	}
}

func TestRotationInAnEmptyFolderMakesAKeyThatSignsAtOnce(t *testing.T) {
	f := &folder{dir: filepath.Join(t.TempDir(), "keys"), now: epoch.Add(time.Second / 2)}
	done := f.rotate(t)
	if done.Before != nil || f.signing(t) != done.Made.KID() {
		t.Errorf("done %+v", done)
	}
}

func TestTheOperatorRotatesWhateverGenerateSays(t *testing.T) {
	f := newFolder(t)
	options := f.options()
	options.Generate = false
	if _, err := signer.Rotate(t.Context(), f.dir, options, daily); err != nil || len(f.kids(t)) != 2 {
		t.Errorf("error %v, keys %q", err, f.kids(t))
	}
}

func TestANewKeyHasTheAlgorithmOfToday(t *testing.T) {
	f := newFolder(t)
	options := f.options()
	options.Algorithm = signer.EdDSA
	done, err := signer.Rotate(t.Context(), f.dir, options, daily)
	if err != nil || done.Made.Algorithm() != "EdDSA" {
		t.Fatalf("done %+v, error %v", done, err)
	}
	for _, key := range f.keys(t).All() {
		mustVerify(t, key, f.keys(t).JWKS())
	}
}

func TestNoKeyIsMadeOverTheBound(t *testing.T) {
	f := newFolder(t)
	slow := daily
	slow.LongestLife = 100 * 24 * time.Hour
	for range signer.MaxKeys - 1 {
		done, err := signer.Rotate(t.Context(), f.dir, f.options(), slow)
		if err != nil {
			t.Fatal(err)
		}
		f.now = done.Made.SignsFrom()
	}
	before := f.kids(t)
	// The second key signed from epoch + 1h1s on; the first goes 100 days and an
	// hour later.
	_, err := signer.Rotate(t.Context(), f.dir, f.options(), slow)
	if err == nil || !strings.Contains(err.Error(), "holds 64 keys") || !strings.Contains(err.Error(), "the next can go 2026-06-09T14:00:01Z") {
		t.Errorf("error %v", err)
	}
	if kids := f.kids(t); len(kids) != signer.MaxKeys || !slices.Equal(kids, before) {
		t.Errorf("%d keys", len(kids))
	}
}

func TestAFaultInTheFolderStopsARotation(t *testing.T) {
	f := newFolder(t)
	writeFile(t, f.dir, "a.json", "{}", 0o600)
	if _, err := signer.Rotate(t.Context(), f.dir, f.options(), daily); err == nil || !strings.Contains(err.Error(), "a.json: created") {
		t.Errorf("error %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(f.dir, "*.json")); len(files) != 2 {
		t.Errorf("files %q", files)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "statement.key")); err == nil {
		t.Error("a statement key was made")
	}
}

func TestWhatACrashLeftUnfinishedIsCleanedAway(t *testing.T) {
	f := newFolder(t)
	writeFile(t, f.dir, ".new-123", "half a key", 0o600)
	f.keys(t) // is read all the same
	f.rotate(t)
	if left, _ := filepath.Glob(filepath.Join(f.dir, ".new-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}
