package signer_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func TestNothingPrintsAStatementKey(t *testing.T) {
	keys := openStatement(t, t.TempDir(), signer.Options{Generate: true})
	key := keys.Current()
	secret := key.Secret[:]
	shown := []string{rawURL(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		strings.Trim(fmt.Sprint(secret), "[]"), fmt.Sprintf("%q", secret), fmt.Sprintf("%#v", secret[:4])}
	exposed := struct {
		Key  signer.StatementKey
		Keys *signer.StatementKeys
	}{key, keys}
	for _, value := range []any{key, &key, key.Secret, &key.Secret, keys, exposed, &exposed, []any{key}, struct{ hidden *signer.StatementKeys }{keys}} {
		var text bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t"} {
			fmt.Fprintf(&text, verb+"\n", value)
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%T: %v", value, err)
		}
		text.Write(encoded)
		slog.New(slog.NewTextHandler(&text, nil)).Info("", "a", value)
		slog.New(slog.NewJSONHandler(&text, nil)).Info("", "a", value)
		for _, secret := range shown {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%T shows the secret: %s", value, text.String())
			}
		}
	}
}
