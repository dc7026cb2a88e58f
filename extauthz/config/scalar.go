package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// A parser turns the text of one value into T. Its error is the problem, in
// words that follow the field's path.
type parser[T any] func(text string) (T, error)

// A kind is what a scalar may be: YAML's tag, and the words for it.
type kind struct{ tag, want string }

var (
	textKind     = kind{"!!str", "text"}
	durationKind = kind{"!!str", "a duration such as 500ms or 5m"}
	callersKind  = kind{"!!str", "unauthenticated or a mapping of certificate, key, trustedCA and sans"}
	flagKind     = kind{"!!bool", "true or false"}
	numberKind   = kind{"!!int", "a whole number"}
)

// text reads the key as text; fallback is its value where it is absent.
func text[T any](m *mapping, name string, fallback T, parse parser[T]) T {
	return scalar(m, name, textKind, fallback, parse)
}

// duration reads the key as a Go duration of least to most.
func duration(m *mapping, name string, fallback, least, most time.Duration) time.Duration {
	return scalar(m, name, durationKind, fallback, parseDuration(least, most))
}

// flag reads the key as true or false.
func flag(m *mapping, name string, fallback bool) bool {
	return scalar(m, name, flagKind, fallback, parseBool)
}

// number reads the key as a whole number of least to most.
func number(m *mapping, name string, fallback, least, most int) int {
	return scalar(m, name, numberKind, fallback, parseInt(least, most))
}

func scalar[T any](m *mapping, name string, k kind, fallback T, parse parser[T]) T {
	node := m.take(name)
	if node == nil {
		return fallback
	}
	value, ok := scalarOf(m.doc, node, join(m.path, name), k, parse)
	if !ok {
		return fallback
	}
	return value
}

// texts reads the key as a list of texts, none of which stands twice.
func texts(m *mapping, name string, parse parser[string]) []string {
	var values []string
	for _, item := range m.elements(name) {
		value, ok := scalarOf(m.doc, item.node, item.path, textKind, parse)
		switch {
		case !ok:
			m.doc.faulty[m.take(name)] = true
		case slices.Contains(values, value):
			m.doc.fault(item.node, item.path, quote(value)+" stands twice")
		default:
			values = append(values, value)
		}
	}
	return values
}

// scalarOf reads one node, or reports it.
func scalarOf[T any](d *document, node *yaml.Node, path string, k kind, parse parser[T]) (T, bool) {
	var zero T
	if d.faulty[node] {
		return zero, false
	}
	if node.Kind != yaml.ScalarNode || node.Tag != k.tag {
		d.fault(node, path, wrongType(node, k))
		return zero, false
	}
	value, err := parse(node.Value)
	if err != nil {
		d.fault(node, path, err.Error())
		return zero, false
	}
	return value, true
}

func wrongType(node *yaml.Node, k kind) string {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return "has no value; give one or remove the key"
	}
	problem := "want " + k.want + ", got " + kindOf(node)
	if k == textKind && node.Kind == yaml.ScalarNode {
		problem += " (put it in quotes)"
	}
	return problem
}
