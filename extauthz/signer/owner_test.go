package signer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func TestAFolderThatOthersMayWriteIsRefused(t *testing.T) {
	for mode, says := range map[os.FileMode]string{
		0o700: "", 0o755: "", 0o500: "",
		0o720: "mode 0720", 0o702: "mode 0702", 0o777: "mode 0777",
		0o777 | os.ModeSticky: "mode 0777", // it does not keep anybody from adding a key
	} {
		f := newFolder(t)
		openStatement(t, f.dir, f.options())
		link := filepath.Join(t.TempDir(), "link")
		must(t, errors.Join(os.Symlink(f.dir, link), os.Chmod(f.dir, mode)))
		for _, dir := range []string{f.dir, link} {
			_, keys := signer.Open(t.Context(), dir, f.options())
			_, statement := signer.OpenStatementKeys(t.Context(), dir, f.options())
			for _, err := range []error{keys, statement} {
				if (err == nil) != (says == "") || err != nil && !(strings.Contains(err.Error(), dir+": "+says) && strings.Contains(err.Error(), "chmod go-w")) {
					t.Errorf("%v: error %v", mode, err)
				}
			}
		}
		must(t, os.Chmod(f.dir, 0o700))
	}
}

// changes are what an operator does to a folder with a key and a statement key.
func changes() map[string]func(ctx context.Context, dir, kid string) error {
	return map[string]func(ctx context.Context, dir, kid string) error{
		"rotate": func(ctx context.Context, dir, _ string) error {
			_, err := signer.Rotate(ctx, dir, signer.Options{}, daily)
			return err
		},
		"remove": func(ctx context.Context, dir, kid string) error {
			_, err := signer.RemoveCompromised(ctx, dir, kid, signer.Options{})
			return err
		},
		"replace": func(ctx context.Context, dir, _ string) error {
			_, err := signer.ReplaceStatement(ctx, dir, signer.Options{})
			return err
		},
	}
}

// stranger is a user that is neither root nor has a name here.
const stranger = 54321

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be several users")
	}
}

func TestRootLeavesWhatItMakesToTheOwnerOfTheFolder(t *testing.T) {
	needsRoot(t)
	for name, change := range changes() {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			openStatement(t, f.dir, f.options())
			must(t, os.Remove(filepath.Join(f.dir, ".lock")))
			must(t, filepath.WalkDir(f.dir, func(path string, _ os.DirEntry, _ error) error { return os.Chown(path, stranger, stranger) }))
			must(t, change(t.Context(), f.dir, f.kids(t)[0]))
			entries, err := os.ReadDir(f.dir)
			must(t, err)
			for _, entry := range entries {
				info, err := entry.Info()
				must(t, err)
				if system := info.Sys().(*syscall.Stat_t); system.Uid != stranger || system.Gid != stranger || info.Mode().Perm() != 0o600 {
					t.Errorf("%s is of %d:%d, mode %v", entry.Name(), system.Uid, system.Gid, info.Mode())
				}
			}
		})
	}
}

func TestRootGivesAwayNoFileThatTheOwnerCallsTheLock(t *testing.T) {
	needsRoot(t)
	f := newFolder(t)
	precious := filepath.Join(t.TempDir(), "precious")
	writeFile(t, filepath.Dir(precious), "precious", "", 0o600)
	must(t, errors.Join(os.Chown(f.dir, stranger, stranger), os.Remove(filepath.Join(f.dir, ".lock")), os.Link(precious, filepath.Join(f.dir, ".lock"))))
	f.rotate(t)
	info, err := os.Stat(precious)
	must(t, err)
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
		t.Errorf("it is of %d now", uid)
	}
}

func TestWhoIsNotRootChangesNothingOfRoots(t *testing.T) {
	if text := rotateRootFolder(t); !strings.Contains(text, "/ belongs to user 0") {
		t.Errorf("%q", text)
	}
}

// rotateRootFolder has somebody who is not root rotate keys in a folder of root's,
// and returns what that person is told.
func rotateRootFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		output, err := strangersChange(t, "rotate", "/", "")
		if err == nil {
			t.Error("it was done")
		}
		return output
	}
	_, err := signer.Rotate(t.Context(), "/", signer.Options{}, daily)
	return fmt.Sprint(err)
}

// changeVariable makes the test binary a process of a stranger's that does one of
// changes: its value is the name, the folder and the kid.
const changeVariable = "SIGNER_TEST_CHANGE"

func changeAsStranger(order string) {
	parts := strings.Split(order, "\n")
	if err := syscall.Setuid(stranger); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	if err := changes()[parts[0]](context.Background(), parts[1], parts[2]); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	os.Exit(0)
}

// strangersChange runs one of changes as the stranger, which only root can.
func strangersChange(t *testing.T, name, dir, kid string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), changeVariable+"="+name+"\n"+dir+"\n"+kid)
	printed, err := command.Output()
	return string(printed), err
}

func TestAStrangerChangesNothing(t *testing.T) {
	needsRoot(t)
	for name := range changes() {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "keys") // which a stranger can get to, unlike t.TempDir
			must(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			must(t, os.Chmod(dir, 0o755))
			f := &folder{dir: dir, now: epoch}
			_, err = signer.Open(t.Context(), dir, f.options())
			must(t, err)
			openStatement(t, dir, f.options())
			before, _ := os.ReadDir(dir)
			output, err := strangersChange(t, name, dir, f.kids(t)[0])
			want := fmt.Sprintf("signer: %s belongs to user 0 and this process runs as user %d", dir, stranger)
			if err == nil || !strings.HasPrefix(output, want) {
				t.Errorf("%v: %s", err, output)
			}
			if after, _ := os.ReadDir(dir); len(after) != len(before) {
				t.Errorf("%v, were %v", after, before)
			}
		})
	}
}
