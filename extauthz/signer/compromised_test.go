package signer_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func (f *folder) remove(t *testing.T, kid string) signer.Replaced {
	t.Helper()
	done, err := signer.RemoveCompromised(t.Context(), f.dir, kid, f.options())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(f.kids(t), kid) {
		t.Errorf("%s is still there", kid)
	}
	if done.Signing.KID() != f.signing(t) {
		t.Errorf("%s signs, not %s", f.signing(t), done.Signing.KID())
	}
	return done
}

func TestWithoutAnotherKeyOneIsMadeThatSignsAtOnce(t *testing.T) {
	f := newFolder(t)
	if done := f.remove(t, f.signing(t)); !done.Made || done.Hastened || len(f.kids(t)) != 1 {
		t.Errorf("done %+v, keys %q", done, f.kids(t))
	}
}

func TestAKeyThatWaitsSignsAtOnceRatherThanAnUnpublishedOne(t *testing.T) {
	f := newFolder(t)
	compromised := f.signing(t)
	next := f.rotate(t).Made
	f.now = f.now.Add(42)
	done := f.remove(t, compromised)
	if done.Made || !done.Hastened || f.signing(t) != next.KID() || len(f.kids(t)) != 1 {
		t.Errorf("done %+v, keys %q", done, f.kids(t))
	}
	if key := f.keys(t).All()[0]; !key.Created().Equal(next.Created()) || key.SignsFrom().After(f.now) {
		t.Errorf("created %v, signs from %v", key.Created(), key.SignsFrom())
	}
	mustHaveMode(t, filepath.Join(f.dir, next.KID()+".json"), 0o600)
}

func TestAKeyThatSignedBeforeSignsAgain(t *testing.T) {
	f := newFolder(t)
	first := f.signing(t)
	second := f.rotate(t).Made
	f.now = second.SignsFrom()
	if done := f.remove(t, second.KID()); done.Made || done.Hastened || f.signing(t) != first {
		t.Errorf("done %+v", done)
	}
}

func TestAKeyThatDoesNotSignIsRemovedAndNothingElseHappens(t *testing.T) {
	f := newFolder(t)
	first := f.signing(t)
	waits := f.rotate(t).Made.KID()
	statement := openStatement(t, f.dir, signer.Options{})
	if done := f.remove(t, waits); done.Made || done.Hastened || f.signing(t) != first {
		t.Errorf("done %+v", done)
	}
	if !openStatement(t, f.dir, signer.Options{}).Equal(statement) {
		t.Error("the statement keys changed")
	}
}

func TestAKeyThatOthersCouldReadCanBeRemoved(t *testing.T) {
	f := newFolder(t)
	kid := f.signing(t)
	if err := os.Chmod(filepath.Join(f.dir, kid+".json"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.remove(t, kid)
}

func TestNothingIsRemovedThatIsNoKey(t *testing.T) {
	f := newFolder(t)
	before := f.kids(t)
	f.rotate(t)
	writeFile(t, f.dir, "a.json", "{}", 0o600)
	for sentence, test := range map[string]struct {
		kid  string
		says string
	}{
		"a key that is not there":                 {vectorKID, vectorKID},
		"no name":                                 {"", "43 characters"},
		"another file of the folder":              {"statement.key", "43 characters"},
		"a path":                                  {"../" + before[0][3:], "43 characters"},
		"a name that is too long":                 {before[0] + "A", "43 characters"},
		"a key beside which another has a fault":  {before[0], "a.json: created"},
		"a key in another spelling of its digest": {vectorKID[:42] + "V", "43 characters"},
	} {
		_, err := signer.RemoveCompromised(t.Context(), f.dir, test.kid, f.options())
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v", sentence, err)
		}
		if errors.Is(err, signer.ErrUnknownKey) != (test.kid == vectorKID) {
			t.Errorf("%s: error %v is ErrUnknownKey", sentence, err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(f.dir, "*.json")); len(files) != 3 {
		t.Errorf("files %q", files)
	}
	if _, err := signer.RemoveCompromised(t.Context(), filepath.Join(f.dir, "absent"), before[0], f.options()); !errors.Is(err, signer.ErrUnknownKey) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "absent")); err == nil {
		t.Error("a folder was made")
	}
}

// Each removal of the only key makes another first, so a reader that has listed
// the old one finds the new one when it looks again.
func TestWhoReadsWhileKeysAreReplacedNeverFails(t *testing.T) {
	f := newFolder(t)
	done := make(chan struct{})
	ended := make(chan struct{})
	kid := f.signing(t)
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				replaced, err := signer.RemoveCompromised(t.Context(), f.dir, kid, f.options())
				if err != nil {
					t.Error(err)
					return
				}
				kid = replaced.Signing.KID()
			}
		}
	}()
	for range 2000 {
		if _, err := signer.Open(t.Context(), f.dir, signer.Options{}); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	<-ended
}
