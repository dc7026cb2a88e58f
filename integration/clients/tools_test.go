package clients_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// installPatience bounds the fetching of a registry's packages.
const installPatience = 5 * time.Minute

// needs leaves the test out where a tool is missing.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			leaveOut(t, "there is no "+tool)
		}
	}
}

// packages are those of one registry, pinned in a folder of testdata.
type packages struct {
	of    string   // the folder
	tools []string // what it takes to have and to use them
	// version prints what else the packages depend on.
	version []string
	// install is a command that puts them into the folder where it runs, which has
	// the pinned files.
	install []string

	once   sync.Once
	folder string
	err    error
}

var (
	fromNPM = &packages{
		of: "node", tools: []string{"node", "npm"}, version: []string{"node", "--version"},
		install: []string{"npm", "ci", "--engine-strict", "--ignore-scripts", "--no-audit", "--no-fund"},
	}
	fromPyPI = &packages{
		of: "python", tools: []string{"python3"}, version: []string{"python3", "--version"},
		install: []string{"python3", "-m", "pip", "install", "--quiet", "--no-input", "--require-hashes", "--only-binary", ":all:",
			"--target", "site", "--requirement", "requirements.txt"},
	}
	fromMaven = &packages{
		of: "java", tools: []string{"java", "javac", "keytool", "mvn"}, version: []string{"true"},
		install: []string{"bash", "-ec", "mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib && sha256sum --quiet --strict -c jars.sha256"},
	}
)

// installed returns the folder of the packages. They are fetched in CI and where
// CERTBEARER_CLIENTS=install asks for it; elsewhere the test is left out unless
// they have been before.
func (p *packages) installed(t *testing.T) string {
	t.Helper()
	needs(t, p.tools...)
	p.once.Do(func() { p.folder, p.err = p.fetch() })
	if errors.Is(p.err, errNotInstalled) {
		leaveOut(t, "the packages for "+p.of+" are not in .tools, where `make test-clients` puts them")
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.folder
}

var errNotInstalled = errors.New("not installed")

func (p *packages) fetch() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), installPatience)
	defer cancel()
	folder, err := p.place(ctx)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if os.Getenv("CI") == "" && os.Getenv("CERTBEARER_CLIENTS") != "install" {
		return "", errNotInstalled
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	beside, err := os.MkdirTemp(filepath.Dir(folder), "."+p.of+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(beside)
	if err := os.CopyFS(beside, os.DirFS(filepath.Join("testdata", p.of))); err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, p.install[0], p.install[1:]...)
	command.Dir = beside
	if printed, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(p.install, " "), err, printed)
	}
	// Another process may have been faster: one is as good as the other.
	if err := os.Rename(beside, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return folder, nil
}

// place is a folder whose name changes with the pinned files and the tool.
func (p *packages) place(ctx context.Context) (string, error) {
	printed, err := exec.CommandContext(ctx, p.version[0], p.version[1:]...).Output()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(printed)
	pinned := os.DirFS(filepath.Join("testdata", p.of))
	err = fs.WalkDir(pinned, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(pinned, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", err
	}
	tools := os.Getenv("CERTBEARER_TOOLS")
	if tools == "" {
		tools = filepath.Join("..", "..", ".tools")
	}
	return filepath.Abs(filepath.Join(tools, "clients", p.of+"-"+hex.EncodeToString(sum.Sum(nil))[:12]))
}
