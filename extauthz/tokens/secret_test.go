package tokens_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/tokens"
)

func TestNothingShowsAToken(t *testing.T) {
	key := newKey(t, epoch)
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, key)}
	cache := newCache(t, tokens.Options{})
	token, _ := obtain(t, cache, newRequest(), basis)
	signature := token.Value.Reveal()[strings.LastIndex(token.Value.Reveal(), ".")+1:]
	values := map[string]any{
		"the secret":                    token.Value,
		"a pointer to the secret":       &token.Value,
		"the token":                     token,
		"a pointer to the token":        &token,
		"a list of tokens":              []tokens.Token{token},
		"a map of tokens":               map[string]tokens.Token{"a": token},
		"a token in an exported field":  struct{ Token tokens.Token }{token},
		"a token in an unexported one":  struct{ token tokens.Token }{token},
		"a secret as the key of a map":  map[tokens.Secret]int{token.Value: 1},
		"the cache that keeps it":       cache,
		"the basis that it was made of": basis,
	}
	for sentence, value := range values {
		t.Run(sentence, func(t *testing.T) {
			for _, shown := range showings(value) {
				if strings.Contains(shown, signature) || strings.Contains(shown, fmt.Sprintf("%x", signature)) {
					t.Errorf("shown: %s", shown)
				}
			}
		})
	}
	if got := fmt.Sprint(token.Value); got != "[token]" {
		t.Errorf("printed as %q", got)
	}
}

// showings is a value in every way that logs and errors have.
func showings(value any) []string {
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		shown = append(shown, fmt.Sprintf(verb, value))
	}
	encoded, _ := json.Marshal(value)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a", "value", value)
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "value", value)
	return append(shown, string(encoded), log.String())
}

func TestTheZeroSecretIsEmpty(t *testing.T) {
	if got := (tokens.Secret{}).Reveal(); got != "" {
		t.Errorf("got %q", got)
	}
}
