package signer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// A statement.key whose kids were computed outside of Go.
const statementPair = `{"current":{"kid":"0y70NLqJgjKRWmBYV-TrsA","created":"2026-01-02T03:04:05Z","key":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"},` +
	`"previous":{"kid":"Ai5Zevphsb5srPlNvLzuCA","created":"2026-01-01T03:04:05Z","key":"__________________________________________8"}}`

func TestParseStatementKeysReadsAPair(t *testing.T) {
	keys, err := signer.ParseStatementKeys([]byte(statementPair))
	if err != nil {
		t.Fatal(err)
	}
	current := keys.Current()
	previous, ok := keys.Previous()
	if current.ID != "0y70NLqJgjKRWmBYV-TrsA" || current.Secret[0] != 1 || current.Secret[31] != 32 || !ok || previous.Secret[0] != 255 {
		t.Errorf("current %v, previous %v", current, previous)
	}
	if want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC); !current.Created().Equal(want) {
		t.Errorf("created %v", current.Created())
	}
}

func openStatement(t *testing.T, dir string, options signer.Options) *signer.StatementKeys {
	t.Helper()
	keys, err := signer.OpenStatementKeys(t.Context(), dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAStatementKeyIsMadeOnceAndFoundAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := time.Date(2026, 5, 6, 7, 8, 9, 987654321, time.UTC)
	options := signer.Options{Generate: true, Now: func() time.Time { return now }}
	made := openStatement(t, dir, options)
	current := made.Current()
	if len(current.ID) != 22 || current.Secret == (signer.StatementSecret{}) || !current.Created().Equal(now.Truncate(time.Second)) {
		t.Errorf("made %v at %v", current, current.Created())
	}
	mustHaveMode(t, filepath.Join(dir, "statement.key"), 0o600)
	if found := openStatement(t, dir, signer.Options{}); !found.Equal(made) || found.Current().Secret != current.Secret {
		t.Errorf("made %v, found %v", made, found)
	}
	if _, there := made.Previous(); there || made.Signing(now) != current {
		t.Error("the first key has one before it")
	}
}

func TestAStatementKeyIsNoSigningKey(t *testing.T) {
	dir := t.TempDir()
	openStatement(t, dir, signer.Options{Generate: true})
	if _, err := signer.Open(t.Context(), dir, signer.Options{}); !errors.Is(err, signer.ErrNoKeys) {
		t.Errorf("error %v", err)
	}
	keys, err := signer.Open(t.Context(), dir, signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys.All()) != 1 || strings.Contains(string(keys.JWKS()), openStatement(t, dir, signer.Options{}).Current().ID) {
		t.Errorf("the set is %s", keys.JWKS())
	}
}

func TestNoStatementKeyIsMadeWithoutGenerate(t *testing.T) {
	dir := t.TempDir()
	if _, err := signer.OpenStatementKeys(t.Context(), dir, signer.Options{}); !errors.Is(err, signer.ErrNoStatementKey) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("%v was written", names)
	}
}

func TestAllWhoStartAtOnceAgreeOnOneStatementKey(t *testing.T) {
	dir := t.TempDir()
	ids := make([]string, 8)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			keys, err := signer.OpenStatementKeys(t.Context(), dir, signer.Options{Generate: true})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = keys.Current().ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("not one key: %q", ids)
		}
	}
}

func TestTheKeyBeforeSignsUntilAllKnowTheNewOne(t *testing.T) {
	dir := t.TempDir()
	now := epoch
	options := signer.Options{Generate: true, Now: func() time.Time { return now }}
	first := openStatement(t, dir, options).Current()
	now = now.Add(time.Hour)
	rotated, err := signer.Rotate(t.Context(), dir, options, signer.Rotation{PublishAhead: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	pair := openStatement(t, dir, signer.Options{})
	second := pair.Current()
	if !pair.Equal(rotated.Statement) || second.ID == first.ID {
		t.Fatalf("the file holds %v, made was %v after %v", second, rotated.Statement, first)
	}
	for at, want := range map[time.Duration]string{
		0: first.ID, 2*time.Second - 1: first.ID, 2 * time.Second: second.ID, time.Hour: second.ID,
	} {
		if got := pair.Signing(now.Add(at)).ID; got != want {
			t.Errorf("after %v %s signs, want %s", at, got, want)
		}
	}
	if _, ok := pair.ByID("", now); ok {
		t.Error("a key without a name is known")
	}
}

// A secret that leaked must not be good for longer than a statement of its may be
// under way.
func TestTheKeyBeforeIsBelievedForAMinute(t *testing.T) {
	dir := t.TempDir()
	now := epoch
	options := signer.Options{Generate: true, Now: func() time.Time { return now }}
	first := openStatement(t, dir, options).Current()
	now = now.Add(time.Hour)
	if _, err := signer.Rotate(t.Context(), dir, options, signer.Rotation{PublishAhead: time.Hour}); err != nil {
		t.Fatal(err)
	}
	pair := openStatement(t, dir, signer.Options{})
	second := pair.Current()
	for after, want := range map[time.Duration]bool{0: true, 22 * time.Second: true, time.Minute - 1: true, time.Minute: false, 720 * time.Hour: false} {
		if got, ok := pair.ByID(first.ID, now.Add(after)); ok != want || ok && got.Secret != first.Secret || !ok && got != (signer.StatementKey{}) {
			t.Errorf("%v after the rotation the first key is believed: %v, want %v", after, ok, want)
		}
		if got, ok := pair.ByID(second.ID, now.Add(after)); !ok || got.Secret != second.Secret {
			t.Errorf("%v after the rotation the second key is not believed", after)
		}
	}
}

func TestACompromisedStatementKeyIsReplacedWithoutAPredecessor(t *testing.T) {
	for sentence, lay := range map[string]func(t *testing.T, path string){
		"one without a fault":      func(*testing.T, string) {},
		"one that is no key":       func(t *testing.T, path string) { writeFile(t, filepath.Dir(path), "statement.key", "{}", 0o600) },
		"one that others may read": func(t *testing.T, path string) { _ = os.Chmod(path, 0o644) },
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFolder(t)
			old := openStatement(t, f.dir, f.options()).Current()
			kids := f.kids(t)
			lay(t, filepath.Join(f.dir, "statement.key"))
			made, err := signer.ReplaceStatement(t.Context(), f.dir, f.options())
			if err != nil {
				t.Fatal(err)
			}
			now := openStatement(t, f.dir, signer.Options{})
			_, before := now.Previous()
			_, believed := now.ByID(old.ID, f.now)
			if !now.Equal(made) || before || believed || now.Signing(f.now).ID != now.Current().ID {
				t.Errorf("%v, with one before it: %v, the old one believed: %v", now, before, believed)
			}
			if after := f.kids(t); len(after) != 1 || after[0] != kids[0] {
				t.Errorf("keys %q, were %q", after, kids)
			}
		})
	}
}

func TestNoStatementKeyIsReplacedWhereOthersMayWrite(t *testing.T) {
	f := newFolder(t)
	old := openStatement(t, f.dir, f.options())
	must(t, os.Chmod(f.dir, 0o720))
	if _, err := signer.ReplaceStatement(t.Context(), f.dir, f.options()); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("error %v", err)
	}
	must(t, os.Chmod(f.dir, 0o700))
	if !openStatement(t, f.dir, signer.Options{}).Equal(old) {
		t.Error("it is another one")
	}
}

func TestAStatementKeyThatIsNotThereIsNotReplaced(t *testing.T) {
	f := newFolder(t)
	for _, dir := range []string{f.dir, filepath.Join(f.dir, "absent")} {
		if _, err := signer.ReplaceStatement(t.Context(), dir, f.options()); !errors.Is(err, signer.ErrNoStatementKey) {
			t.Errorf("error %v", err)
		}
	}
	if names, _ := os.ReadDir(f.dir); len(names) != 2 { // the key and the lock
		t.Errorf("%v", names)
	}
}

func TestANilPairHasNoKeys(t *testing.T) {
	var keys *signer.StatementKeys
	_, known := keys.ByID("", epoch)
	_, before := keys.Previous()
	if known || before || keys.Current() != (signer.StatementKey{}) || keys.Signing(epoch) != (signer.StatementKey{}) || !keys.Equal(nil) {
		t.Error("nil has keys")
	}
}

func TestParseStatementKeysRefuses(t *testing.T) {
	good := statementFile(t)
	with := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	key, kid := statementParts(t, good)
	tests := map[string]struct{ content, says string }{
		"an empty file":                    {"", "not one JSON object"},
		"the bare secret":                  {key, "not one JSON object"},
		"text behind the object":           {good + "{}", "not one JSON object"},
		"a file that is too long":          {good + strings.Repeat(" ", 4096), "over 4096 bytes"},
		"no current key":                   {`{"previous": null}`, "current: is not one JSON object"},
		"nothing in the place of previous": {with(`,"previous":null`, ""), "previous: is not one JSON object"},
		"no previous key, but text":        {with("null", `""`), "previous: is not one JSON object"},
		"a previous key that is current":   {with("null", good[len(`{"current":`):strings.Index(good, `,"previous"`)]), "previous: is the current key"},
		"an unknown member":                {with(`"previous"`, `"next":null,"previous"`), "a member other than current, previous"},
		"an unknown member of a key":       {with(`"kid"`, `"alg":"HS256","kid"`), "a member other than kid, created, key"},
		"a member that stands twice":       {with(`"kid"`, `"kid":"","kid"`), "stands twice"},
		"a kid of another key":             {with(kid, "A"+kid[1:]), "kid: is not that of the key"},
		"no kid":                           {with(`"kid":"`+kid+`",`, ""), "kid: is not that of the key"},
		"a secret of 31 octets":            {with(key, key[:42]), "key: is not 32 octets"},
		"a secret with padding":            {with(key, key+"="), "key: is not 32 octets"},
		"a secret with a line break":       {with(key, key+`\n`), "key: is not 32 octets"},
		"no secret":                        {with(`"key":"`+key+`"`, `"key":null`), "key: is not 32 octets"},
		"a key of no time":                 {with(`"created":"2`, `"created":"x`), "created: is missing or not"},
	}
	if _, err := signer.ParseStatementKeys([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			_, err := signer.ParseStatementKeys([]byte(test.content))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), key) {
				t.Errorf("error %q, want one that says %q and no secret", err, test.says)
			}
		})
	}
}

// statementFile is the compact content of a new file.
func statementFile(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := signer.OpenStatementKeys(t.Context(), dir, signer.Options{Generate: true}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "statement.key"))
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}

func statementParts(t testing.TB, content string) (key, kid string) {
	t.Helper()
	var file struct{ Current struct{ KID, Key string } }
	if err := json.Unmarshal([]byte(content), &file); err != nil {
		t.Fatal(err)
	}
	return file.Current.Key, file.Current.KID
}

func TestAStatementFileThatOthersMayReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "statement.key", statementFile(t), 0o640)
	for _, generate := range []bool{false, true} {
		_, err := signer.OpenStatementKeys(t.Context(), dir, signer.Options{Generate: generate})
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "statement.key")+": mode 0640") {
			t.Errorf("error %v", err)
		}
	}
}

func TestAFaultyStatementFileIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "statement.key", "{}", 0o600)
	_, err := signer.OpenStatementKeys(t.Context(), dir, signer.Options{Generate: true})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "statement.key")+": current: ") {
		t.Errorf("error %v", err)
	}
	if _, err := signer.Rotate(t.Context(), dir, signer.Options{}, signer.Rotation{}); err == nil {
		t.Error("rotated over a fault")
	}
	if content, _ := os.ReadFile(filepath.Join(dir, "statement.key")); string(content) != "{}" {
		t.Errorf("the file is now %s", content)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(files) > 0 {
		t.Errorf("%q was made", files)
	}
}

func FuzzStatementKeys(f *testing.F) {
	good := statementFile(f)
	f.Add([]byte(good))
	f.Add([]byte(statementPair))
	f.Add([]byte(strings.Replace(good, "null", `{"kid":"","created":"","key":""}`, 1)))
	f.Add([]byte(`{"current":{"kid":null,"created":"2026-01-02T03:04:05Z","key":"AA"},"previous":null}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := signer.ParseStatementKeys(content)
		if err != nil {
			var file struct{ Current, Previous struct{ Key string } }
			if json.Unmarshal(content, &file) == nil && len(file.Current.Key) >= 16 && strings.Contains(err.Error(), file.Current.Key) {
				t.Errorf("the error shows the secret: %v", err)
			}
			return
		}
		current := keys.Current()
		if found, ok := keys.ByID(current.ID, current.Created()); !ok || found != current || len(current.ID) != 22 {
			t.Errorf("%v is not found by its ID", current)
		}
		if previous, ok := keys.Previous(); ok && (previous.ID == current.ID || previous.Secret == current.Secret) {
			t.Errorf("%v stands twice", current)
		}
	})
}
