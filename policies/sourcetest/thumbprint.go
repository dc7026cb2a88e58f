package sourcetest

import (
	"encoding/json"
	"testing"

	"github.com/certbearer/certbearer/policies"
)

// thumbprintOf asks the document parser itself: this package knows nothing
// about certificates.
func thumbprintOf(t *testing.T, pem string) policies.Thumbprint {
	t.Helper()
	documents, err := policies.ParseFile("probe.json", []byte(`{"resourceType":"ClientApplication","certificateTrustStore":`+quote(t, pem)+`}`))
	if err != nil || len(documents) != 1 || documents[0].Client == nil {
		t.Fatalf("sourcetest: not one PEM certificate: %v", err)
	}
	return documents[0].Client.Pins()[0]
}

func quote(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}
