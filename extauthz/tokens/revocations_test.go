package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz/tokens"
)

func openRevocations(t testing.TB, path string) *tokens.Revocations {
	t.Helper()
	store, err := tokens.OpenRevocations(path)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func revocationOf(id string) tokens.Revocation {
	return tokens.Revocation{ID: id, ClientID: "lab-partner", Expires: now.Add(time.Hour), At: now}
}

func add(t testing.TB, store *tokens.Revocations, all ...tokens.Revocation) *tokens.Revoked {
	t.Helper()
	var revoked *tokens.Revoked
	for _, one := range all {
		var err error
		if revoked, err = store.Add(t.Context(), one, nil); err != nil {
			t.Fatal(err)
		}
	}
	return revoked
}

func load(t testing.TB, store *tokens.Revocations, at time.Time) *tokens.Revoked {
	t.Helper()
	revoked, err := store.Load(at)
	if err != nil {
		t.Fatal(err)
	}
	return revoked
}

func wantRevoked(t testing.TB, got *tokens.Revoked, ids ...string) {
	t.Helper()
	if got.Len() != len(ids) {
		t.Errorf("%d are revoked, want %d", got.Len(), len(ids))
	}
	for _, id := range ids {
		if !got.Has(id) {
			t.Errorf("%s is not revoked", id)
		}
	}
}

func linesOf(t testing.TB, path string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(content), "\n")
}

// line is a revocation as the file has it.
func line(id string, expires time.Time) string {
	return fmt.Sprintf(`{"jti":%q,"client_id":"lab-partner","exp":%q,"at":%q}`+"\n", id, expires.Format(time.RFC3339), now.Format(time.RFC3339))
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRevocationsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "revoked.jsonl")
	first := openRevocations(t, path)
	wantRevoked(t, load(t, first, now))
	wantRevoked(t, add(t, first, revocationOf("a"), revocationOf("b")), "a", "b")
	wantRevoked(t, load(t, openRevocations(t, path), now), "a", "b")
	second := openRevocations(t, path)
	wantRevoked(t, add(t, second, revocationOf("c")), "a", "b", "c")
	wantRevoked(t, add(t, first, revocationOf("a")), "a", "b", "c")
	if lines := linesOf(t, path); lines != 3 {
		t.Errorf("%d lines for 3 tokens", lines)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestWhatACrashLeavesDoesNoHarm(t *testing.T) {
	whole := line("a", now.Add(time.Hour))
	tests := map[string]struct {
		content string
		before  []string // revoked as the file is
	}{
		"an empty file":                           {"", nil},
		"an empty line":                           {"\n" + whole + "\n", []string{"a"}},
		"a line that was cut off":                 {whole + `{"jti":"b","cli`, []string{"a"}},
		"a line of which only the end is missing": {whole + strings.TrimSuffix(line("b", now.Add(time.Hour)), "\n"), []string{"a"}},
		"one byte of a line":                      {whole + "{", []string{"a"}},
		"zeros where a line was to be":            {whole + "\x00\x00\x00", []string{"a"}},
		"a line of which only one byte is there":  {"{", nil},
		"the copy of a compaction":                {whole, []string{"a"}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "revoked.jsonl")
			write(t, path, test.content)
			write(t, path+".new", "{")
			store := openRevocations(t, path)
			wantRevoked(t, load(t, store, now), test.before...)
			added := add(t, store, revocationOf("new"))
			again := load(t, store, now)
			for _, id := range append(test.before, "new") {
				if !added.Has(id) || !again.Has(id) {
					t.Errorf("%s is not revoked", id)
				}
			}
		})
	}
}

func TestAWholeLineThatIsNoRevocationIsAnError(t *testing.T) {
	good := line("a", now.Add(time.Hour))
	for sentence, bad := range map[string]string{
		"text":             "x\n",
		"null":             "null\n",
		"a number":         "1\n",
		"an empty object":  "{}\n",
		"no jti":           `{"exp":"2100-01-01T00:00:00Z"}` + "\n",
		"no end":           `{"jti":"b"}` + "\n",
		"an end in words":  `{"jti":"b","exp":"soon"}` + "\n",
		"a jti too long":   line(strings.Repeat("b", 65), now.Add(time.Hour)),
		"a part of a line": "{\"jti\":\"b\",\"cli\n",
		"zeros":            "\x00\x00\x00\n",
		"two on one line":  strings.TrimSuffix(good, "\n") + good,
	} {
		t.Run(sentence, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "revoked.jsonl")
			write(t, path, good+bad)
			store := openRevocations(t, path)
			if _, err := store.Load(now); err == nil || !strings.Contains(err.Error(), "line 2") {
				t.Errorf("Load: %v", err)
			}
			if _, err := store.Add(t.Context(), revocationOf("new"), nil); err == nil {
				t.Error("Add takes one more")
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != good+bad {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// A replica whose clock is behind takes a token for a while after its end: it is
// remembered for a minute more.
func TestWhatHasExpiredIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	store := openRevocations(t, path)
	short, long := revocationOf("short"), revocationOf("long")
	short.Expires = now
	add(t, store, short, long)
	wantRevoked(t, load(t, store, now.Add(time.Minute-1)), "short", "long")
	wantRevoked(t, load(t, store, now.Add(time.Minute)), "long")
	later := revocationOf("later")
	later.At = now.Add(time.Minute)
	wantRevoked(t, add(t, store, later), "long", "later")
}

func TestTheFileIsWrittenAnewWhenMostOfItHasExpired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	var content strings.Builder
	for i := range 1010 {
		content.WriteString(line(fmt.Sprint("old", i), now.Add(-time.Minute)))
	}
	content.WriteString(line("kept", now.Add(time.Hour)))
	write(t, path, content.String())
	store := openRevocations(t, path)
	wantRevoked(t, add(t, store, revocationOf("new")), "kept", "new")
	if lines := linesOf(t, path); lines != 2 {
		t.Errorf("%d lines are left", lines)
	}
	wantRevoked(t, load(t, store, now), "kept", "new")
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 { // the file and its lock
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestTheNumberOfRevocationsIsBounded(t *testing.T) {
	const most = 5
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	var content strings.Builder
	content.WriteString(line("old", now))
	for i := range most - 1 {
		content.WriteString(line(fmt.Sprint(i), now.Add(time.Hour)))
	}
	write(t, path, content.String())
	store := openRevocations(t, path)
	store.Bound(most, most)
	if _, err := store.Add(t.Context(), revocationOf("new"), nil); !errors.Is(err, tokens.ErrTooManyRevocations) {
		t.Errorf("one more: %v", err)
	}
	if got := add(t, store, revocationOf("3")); got.Len() != most {
		t.Errorf("one that is known: %d", got.Len())
	}
	later := revocationOf("later")
	later.At = now.Add(time.Minute)
	if got := add(t, store, later); !got.Has("later") || got.Has("old") {
		t.Error("no room where one has expired")
	}
}

func TestOneClientCannotUseUpTheRoomOfOthers(t *testing.T) {
	store := openRevocations(t, filepath.Join(t.TempDir(), "revoked.jsonl"))
	store.Bound(10, 2)
	add(t, store, revocationOf("1"), revocationOf("2"))
	if _, err := store.Add(t.Context(), revocationOf("3"), nil); !errors.Is(err, tokens.ErrTooManyRevocations) {
		t.Errorf("one more of the same client: %v", err)
	}
	other := revocationOf("4")
	other.ClientID = "another"
	if got := add(t, store, other); got.Len() != 3 {
		t.Errorf("%d are revoked", got.Len())
	}
}

// A set that lacks a revocation was read before it, or from a file that somebody
// has replaced: it takes nothing back.
func TestARevocationIsNeverTakenBack(t *testing.T) {
	one, two, over := revocationOf("1"), revocationOf("2"), revocationOf("over")
	over.Expires = now.Add(-time.Hour)
	for sentence, both := range map[string]*tokens.Revoked{
		"a newer set beside an older": tokens.NewRevoked(one, over).With(tokens.NewRevoked(one, two), now),
		"an older beside a newer":     tokens.NewRevoked(one, two).With(tokens.NewRevoked(one, over), now),
		"an empty one":                tokens.NewRevoked(one, two).With(tokens.NewRevoked(), now),
		"none":                        tokens.NewRevoked(one, two).With(nil, now),
		"beside none":                 (*tokens.Revoked)(nil).With(tokens.NewRevoked(one, two), now),
	} {
		if both.Len() != 2 || !both.Has("1") || !both.Has("2") {
			t.Errorf("%s: %d", sentence, both.Len())
		}
	}
}

func TestAFileWithoutEndIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	write(t, path, "")
	if err := os.Truncate(path, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	if _, err := openRevocations(t, path).Load(now); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("%v", err)
	}
}

func TestManyMayRevokeAtOnce(t *testing.T) {
	const each = 10
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	one, other := openRevocations(t, path), openRevocations(t, path)
	var group sync.WaitGroup
	for n, store := range []*tokens.Revocations{one, one, other, other} {
		group.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", n, i)
				revoked, err := store.Add(t.Context(), revocationOf(id), nil)
				if err != nil || !revoked.Has(id) {
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
	group.Wait()
	if got := load(t, one, now); got.Len() != 4*each || linesOf(t, path) != 4*each {
		t.Errorf("%d are revoked, on %d lines", got.Len(), linesOf(t, path))
	}
}

func TestWhoIsToldOfAFailureIsNotTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "revoked.jsonl")
	store := openRevocations(t, path)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Add(t.Context(), revocationOf("a"), nil); err == nil {
		t.Error("a folder keeps a revocation")
	}
	write(t, filepath.Join(dir, "file"), "")
	if _, err := tokens.OpenRevocations(filepath.Join(dir, "file", "revoked.jsonl")); err == nil {
		t.Error("a folder that cannot be made is none")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openRevocations(t, filepath.Join(dir, "other.jsonl")).Add(ended, revocationOf("a"), nil); err == nil {
		t.Error("a request that is over keeps a revocation")
	}
}

// publication is one call of Run's publish.
type publication struct {
	revoked *tokens.Revoked
	err     error
}

// watch runs a test in a bubble, where the second within which a revocation is
// known elsewhere passes at once: next returns what was published in it.
func watch(t *testing.T, path string, test func(t *testing.T, next func() []publication)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var published []publication
		go openRevocations(t, path).Run(t.Context(), func(revoked *tokens.Revoked, err error) {
			mu.Lock()
			defer mu.Unlock()
			published = append(published, publication{revoked, err})
		})
		test(t, func() []publication {
			time.Sleep(time.Second)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			got := published
			published = nil
			return got
		})
	})
}

// wantPublished wants one publication, of these tokens.
func wantPublished(t *testing.T, got []publication, ids ...string) {
	t.Helper()
	if len(got) != 1 || got[0].err != nil {
		t.Fatalf("published %+v", got)
	}
	wantRevoked(t, got[0].revoked, ids...)
}

// current is a revocation that the clock of a bubble has not seen the end of.
func current(id string) tokens.Revocation {
	at := time.Now()
	return tokens.Revocation{ID: id, ClientID: "lab-partner", Expires: at.Add(time.Hour), At: at}
}

func TestRevocationsOfAnotherProcessAreKnownWithinASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	watch(t, path, func(t *testing.T, next func() []publication) {
		if got := next(); len(got) != 0 {
			t.Errorf("published of a file that is not there: %+v", got)
		}
		other := openRevocations(t, path)
		add(t, other, current("a"))
		wantPublished(t, next(), "a")
		if got := next(); len(got) != 0 {
			t.Errorf("published without a change: %+v", got)
		}
		add(t, other, current("b"))
		wantPublished(t, next(), "a", "b")
	})
}

func TestWhatWasRevokedBeforeTheWatchBeganIsPublished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	write(t, path, line("a", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	watch(t, path, func(t *testing.T, next func() []publication) { wantPublished(t, next(), "a") })
}

func TestAFileThatIsLostBeforeTheFirstLookIsPublishedAsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "revoked.jsonl")
		store := openRevocations(t, path)
		add(t, store, current("a"))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		faults := make(chan error, 10)
		go store.Run(t.Context(), func(_ *tokens.Revoked, err error) { faults <- err })
		time.Sleep(time.Second)
		synctest.Wait()
		if len(faults) != 1 || <-faults == nil {
			t.Errorf("a lost file was not published as one fault")
		}
	})
}

func TestWhatTheFileHasLostIsWrittenAgainWithTheNextRevocation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	store := openRevocations(t, path)
	known := add(t, store, revocationOf("a"), revocationOf("b"))
	for sentence, content := range map[string]string{
		"a file that is empty":            "",
		"a file that is an older version": line("a", now.Add(time.Hour)),
		"a file that has another's too":   line("c", now.Add(time.Hour)),
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, added := range []string{"new", "a"} {
				write(t, path, content)
				all, err := store.Add(t.Context(), revocationOf(added), known)
				if err != nil {
					t.Fatal(err)
				}
				after := load(t, openRevocations(t, path), now)
				if !after.Has("a") || !after.Has("b") || !after.Has(added) || !after.Equal(all) || after.Has("c") != strings.Contains(content, `"c"`) {
					t.Errorf("after adding %s the file has %d, Add returned %d", added, after.Len(), all.Len())
				}
			}
		})
	}
}

func TestAFaultIsPublishedOnceAndMended(t *testing.T) {
	whole := line("a", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
	for sentence, harm := range map[string]func(path string) error{
		"a line that is no revocation": func(path string) error { return os.WriteFile(path, []byte("damaged\n"), 0o600) },
		"a file that is gone":          os.Remove,
		"a folder in its place":        func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(sentence, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "revoked.jsonl")
			write(t, path, whole)
			watch(t, path, func(t *testing.T, next func() []publication) {
				wantPublished(t, next(), "a")
				if err := harm(path); err != nil {
					t.Fatal(err)
				}
				if got := next(); len(got) != 1 || got[0].err == nil || got[0].revoked != nil {
					t.Fatalf("published %+v", got)
				}
				if got := next(); len(got) != 0 {
					t.Errorf("the same fault again: %+v", got)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				write(t, path, whole)
				wantPublished(t, next(), "a")
			})
		})
	}
}

func TestSetsOfRevocations(t *testing.T) {
	a, b := revocationOf("a"), revocationOf("b")
	var none *tokens.Revoked
	if none.Has("a") || none.Len() != 0 || !none.Equal(tokens.NewRevoked()) || !tokens.NewRevoked().Equal(none) {
		t.Error("none is not an empty set")
	}
	for sentence, test := range map[string]struct {
		one, other *tokens.Revoked
		want       bool
	}{
		"none and none":   {nil, nil, true},
		"none and some":   {nil, tokens.NewRevoked(a), false},
		"the same":        {tokens.NewRevoked(a, b), tokens.NewRevoked(b, a), true},
		"as many others":  {tokens.NewRevoked(a), tokens.NewRevoked(b), false},
		"a part of them":  {tokens.NewRevoked(a, b), tokens.NewRevoked(a), false},
		"one given twice": {tokens.NewRevoked(a, a), tokens.NewRevoked(a), true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if test.one.Equal(test.other) != test.want || test.other.Equal(test.one) != test.want {
				t.Errorf("equal is not %v", test.want)
			}
		})
	}
}
