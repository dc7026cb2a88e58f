package manifests_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// misspelled is a document with one key written wrong.
type misspelled struct {
	document
	path  string // of the key
	depth int
}

// free are the fields whose keys are names of somebody's, which nobody can check.
var free = []string{"annotations", "data", "labels", "limits", "matchLabels", "metadata", "requests", "selector"}

// isFree tells the selectors that hold names from those that hold fields.
func isFree(key string, value any) bool {
	inner, isMap := value.(map[string]any)
	if !isMap || !slices.Contains(free, key) {
		return false
	}
	_, fields := inner["matchLabels"]
	return !fields
}

// misspellings returns the document once for each of its fields, with that one
// misspelled.
func misspellings(d document) []misspelled {
	var all []misspelled
	var walk func(path []string, value any)
	walk = func(path []string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				below := append(slices.Clone(path), key)
				if len(path) > 0 || key == "spec" {
					wrong := d
					wrong.fields = renamed(d.fields, below).(map[string]any)
					all = append(all, misspelled{wrong, strings.Join(below, "."), len(below)})
				}
				if !isFree(key, value[key]) {
					walk(below, value[key])
				}
			}
		case []any:
			for i, item := range value {
				walk(append(slices.Clone(path), strconv.Itoa(i)), item)
			}
		}
	}
	walk(nil, d.fields)
	return all
}

// renamed returns a copy of value in which the key at path has a letter too many.
func renamed(value any, path []string) any {
	if len(path) == 0 {
		return value
	}
	switch value := value.(type) {
	case map[string]any:
		other := maps.Clone(value)
		if len(path) == 1 {
			delete(other, path[0])
			other[path[0]+"z"] = value[path[0]]
			return other
		}
		other[path[0]] = renamed(value[path[0]], path[1:])
		return other
	case []any:
		other := slices.Clone(value)
		i, _ := strconv.Atoi(path[0])
		other[i] = renamed(value[i], path[1:])
		return other
	}
	return value
}

// deepest returns the misspelling that lies deepest, the first of several.
func deepest(all []misspelled) misspelled {
	return slices.MaxFunc(all, func(a, b misspelled) int { return a.depth - b.depth })
}
