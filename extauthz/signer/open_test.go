package signer_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func scalarInt(raw []byte) *big.Int { return new(big.Int).SetBytes(raw) }

// openDirVariable makes the test binary a process that opens a keys folder and
// prints the kid.
const openDirVariable = "SIGNER_TEST_OPEN_DIR"

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // t.TempDir makes folders that the group may write, where it is 002
	if dir := os.Getenv(rotateDirVariable); dir != "" {
		rotateForEver(dir)
	}
	if order := os.Getenv(changeVariable); order != "" {
		changeAsStranger(order)
	}
	dir := os.Getenv(openDirVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	keys, err := signer.Open(context.Background(), dir, signer.Options{Generate: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(keys.All()[0].KID())
}

func TestTheFirstStartMakesAKeyThatTheNextFinds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "keys")
	now := time.Date(2026, 5, 6, 7, 8, 9, 987654321, time.FixedZone("", 3600))
	made, err := signer.Open(t.Context(), dir, signer.Options{Generate: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	key, err := made.Signing(now)
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Truncate(time.Second); !key.Created().Equal(want) || !key.SignsFrom().Equal(want) {
		t.Errorf("created %v, signs from %v, want %v", key.Created(), key.SignsFrom(), want)
	}
	mustHaveMode(t, dir, 0o700)
	mustHaveMode(t, filepath.Join(dir, key.KID()+".json"), 0o600)
	found, err := signer.Open(t.Context(), dir, signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	if string(found.JWKS()) != string(made.JWKS()) {
		t.Errorf("first %s\nthen %s", made.JWKS(), found.JWKS())
	}
}

func mustHaveMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
	}
}

func TestWithoutGenerateNothingIsMade(t *testing.T) {
	for sentence, dir := range map[string]string{
		"a folder that is missing": filepath.Join(t.TempDir(), "keys"),
		"a folder that is empty":   t.TempDir(),
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := signer.Open(t.Context(), dir, signer.Options{})
			if !errors.Is(err, signer.ErrNoKeys) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want ErrNoKeys with the folder", err)
			}
			if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
				t.Errorf("%s was written", entries[0].Name())
			}
		})
	}
}

func TestAllWhoStartAtOnceAgreeOnOneKey(t *testing.T) {
	dir := t.TempDir()
	const goroutines, processes = 8, 3
	kids := make([]string, goroutines+processes)
	var all sync.WaitGroup
	for i := range kids {
		all.Go(func() {
			if i < processes {
				kids[i] = openInProcess(t, dir)
				return
			}
			keys, err := signer.Open(t.Context(), dir, signer.Options{Generate: true})
			if err != nil {
				t.Error(err)
				return
			}
			kids[i] = keys.All()[0].KID()
		})
	}
	all.Wait()
	for _, kid := range kids {
		if kid == "" || kid != kids[0] {
			t.Fatalf("not one key: %q", kids)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(files) != 1 {
		t.Errorf("files %q, want one", files)
	}
}

func openInProcess(t *testing.T, dir string) string {
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), openDirVariable+"="+dir)
	output, err := command.Output()
	if err != nil {
		t.Error(err)
	}
	return string(output)
}

func TestALockThatIsNotGivenUpEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	held := flock.New(filepath.Join(dir, ".lock"))
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := signer.Open(ctx, dir, signer.Options{Generate: true}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestWhatIsNoKeyFileIsIgnored(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, vectorName, vectorFile, 0o600)
	for _, name := range []string{"statement.key", ".new-123", ".hidden.json", ".lock", "README", vectorName + ".bak"} {
		writeFile(t, dir, name, "no key", 0o644)
	}
	keys, err := signer.Open(t.Context(), dir, signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys.All()) != 1 || keys.All()[0].KID() != vectorKID {
		t.Errorf("keys %v", keys.All())
	}
}

func TestAKeyMountedThroughLinksIsRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "..data"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "..data"), vectorName, vectorFile, 0o400)
	if err := os.Symlink(filepath.Join("..data", vectorName), filepath.Join(dir, vectorName)); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Open(t.Context(), dir, signer.Options{}); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := map[string]struct {
		lay  func(t *testing.T, dir string)
		says []string
	}{
		"a key that the group may read": {func(t *testing.T, dir string) {
			writeFile(t, dir, vectorName, vectorFile, 0o640)
		}, []string{vectorName, "mode 0640", "chmod 0600"}},
		"a key that others may write": {func(t *testing.T, dir string) {
			writeFile(t, dir, vectorName, vectorFile, 0o602)
		}, []string{vectorName, "mode 0602"}},
		"a good key beside two bad ones, and names both": {func(t *testing.T, dir string) {
			writeFile(t, dir, vectorName, vectorFile, 0o600)
			writeFile(t, dir, "a.json", "{}", 0o600)
			writeFile(t, dir, "b.json", vectorD, 0o600)
		}, []string{"a.json: created", "b.json: is not one JSON object"}},
		"a file over 64 KiB": {func(t *testing.T, dir string) {
			writeFile(t, dir, vectorName, vectorFile+strings.Repeat("\n", signer.MaxKeyFile), 0o600)
		}, []string{vectorName, "over 65536 bytes"}},
		"a folder with a key's name": {func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, vectorName), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{vectorName, "is not a file"}},
		"a pipe with a key's name, without waiting for a writer": {func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(filepath.Join(dir, vectorName), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{vectorName, "is not a file"}},
		"65 keys": {func(t *testing.T, dir string) {
			for i := range signer.MaxKeys + 1 {
				writeFile(t, dir, fmt.Sprintf("%d.json", i), vectorFile, 0o600)
			}
		}, []string{"65 key files"}},
		"a folder full of other things": {func(t *testing.T, dir string) {
			writeFile(t, dir, vectorName, vectorFile, 0o600)
			for i := range 1024 {
				writeFile(t, dir, fmt.Sprint(i), "", 0o600)
			}
		}, []string{"over 1024 files"}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			test.lay(t, dir)
			_, err := signer.Open(t.Context(), dir, signer.Options{Generate: true})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range append(test.says, dir) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), vectorD) {
				t.Errorf("the error shows the private key: %v", err)
			}
		})
	}
}
