package integration_test

import (
	"os"
	"strconv"
	"testing"

	"sigs.k8s.io/yaml"
)

// settings is a certbearer.yaml, or a part of one.
type settings map[string]any

// onTop returns s with the values of other. Mappings are joined, everything else
// is replaced.
func (s settings) onTop(other settings) settings {
	joined := make(settings, len(s)+len(other))
	for key, value := range s {
		joined[key] = value
	}
	for key, value := range other {
		below, isMap := joined[key].(map[string]any)
		above, wantsMap := value.(map[string]any)
		if isMap && wantsMap {
			joined[key] = map[string]any(settings(below).onTop(above))
			continue
		}
		joined[key] = value
	}
	return joined
}

func parseSettings(t *testing.T, text string) settings {
	t.Helper()
	var s settings
	if err := yaml.UnmarshalStrict([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// editSettings puts values on top of those of a file.
func editSettings(t *testing.T, path string, changes ...settings) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := parseSettings(t, string(text))
	for _, change := range changes {
		edited = edited.onTop(change)
	}
	out, err := yaml.Marshal(edited)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
