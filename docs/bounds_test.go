package docs_test

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
)

func TestEveryBoundOfTheSecurityModelIsTheOneInTheCode(t *testing.T) {
	bounds := rows(section(t, read(t, "docs/security-model.md"), "## Bounds"))
	if len(bounds) < 20 {
		t.Fatalf("%d bounds", len(bounds))
	}
	for _, cells := range bounds {
		want, name := amount(t, cells[1]), spans(cells[2])[0]
		var got int64
		if match := goFile.FindStringSubmatch(cells[2]); match != nil {
			got = bound(t, match[1], name)
		} else {
			got = amount(t, spaced(standard(t, name)))
		}
		if got != want {
			t.Errorf("%s: the page says %s, the code has %d", cells[0], cells[1], got)
		}
	}
}

// standard returns the default of a key of certbearer.yaml.
func standard(t *testing.T, path string) string {
	t.Helper()
	for _, key := range config.Keys() {
		if key.Path == path {
			return key.Default
		}
	}
	t.Errorf("%s is no key of the configuration", path)
	return "0"
}

var unit = regexp.MustCompile(`^([0-9]+)([a-z]+)$`)

func spaced(value string) string { return unit.ReplaceAllString(value, "$1 $2") }

// amount reads "64 KiB", "10 s" or "50": bytes, nanoseconds or a count.
func amount(t *testing.T, text string) int64 {
	t.Helper()
	digits, of, _ := strings.Cut(text, " ")
	factor, known := map[string]int64{
		"": 1, "KiB": 1 << 10, "MiB": 1 << 20,
		"ms": int64(time.Millisecond), "s": int64(time.Second), "min": int64(time.Minute), "h": int64(time.Hour),
	}[of]
	count, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known {
		t.Errorf("%q is no amount", text)
	}
	return count * factor
}

// bound returns the value of a constant, or of a field's default as
// cmp.Or(l.Name, default) gives it.
func bound(t *testing.T, path, name string) int64 {
	t.Helper()
	file := source(t, path)
	value := values(file)[name]
	ast.Inspect(file, func(node ast.Node) bool {
		pair, ok := node.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isName := pair.Key.(*ast.Ident)
		call, isCall := pair.Value.(*ast.CallExpr)
		if value == nil && isName && isCall && key.Name == name && len(call.Args) == 2 {
			value = call.Args[1]
		}
		return true
	})
	if value == nil {
		t.Errorf("%s has no %s", path, name)
		return 0
	}
	text := types.ExprString(value)
	for name, of := range map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour} {
		text = strings.ReplaceAll(text, "time."+name, strconv.FormatInt(int64(of), 10))
	}
	result, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	if err != nil {
		t.Errorf("%s: %s is %s: %v", path, name, text, err)
		return 0
	}
	number, _ := constant.Int64Val(constant.ToInt(result.Value))
	return number
}
