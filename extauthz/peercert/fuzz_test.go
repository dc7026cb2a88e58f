package peercert_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/policies/decision"
)

// FuzzXFCC holds what is accepted against a second reading of the header that
// shares nothing with the first: split, unescape and decode by the book.
func FuzzXFCC(f *testing.F) {
	f.Fuzz(func(t *testing.T, first, second string, hops int) {
		hops &= 3
		values := []string{first}
		if second != "" {
			values = append(values, second)
		}
		got, err := newReader(t, peercert.XFCC, hops).Read(presented("", values...), new(decision.Trace))
		if err != nil {
			wantOrderly(t, got, err)
			return
		}
		if strings.HasPrefix(first, "[") {
			return // FuzzXFCCJSON
		}
		var elements []string
		for _, value := range values {
			elements = append(elements, split(value, ',')...)
		}
		cert := certOf(elements[len(elements)-max(1, hops)])
		wantLeaf(t, got, cert)
		beside, err := newReader(t, peercert.Peer, hops).Read(presented(cert, values...), nil)
		if decision.ReasonOf(err) == decision.EvidenceTooLarge {
			return
		}
		if err != nil || beside.Thumbprint != got.Thumbprint || len(beside.Intermediates) != len(got.Intermediates) {
			t.Errorf("read otherwise beside the same source.certificate: %v", err)
		}
	})
}

// FuzzPeerCertificate holds what is accepted against encoding/pem and net/url.
func FuzzPeerCertificate(f *testing.F) {
	f.Fuzz(func(t *testing.T, peer []byte) {
		got, err := newReader(t, peercert.Peer, 0).Read(peercert.Presented{PeerCertificate: peer}, new(decision.Trace))
		if err != nil {
			wantOrderly(t, got, err)
			return
		}
		wantLeaf(t, got, string(peer))
		if len(got.Intermediates) != 0 {
			t.Errorf("%d intermediates from nowhere", len(got.Intermediates))
		}
	})
}

// wantOrderly wants a denial that is nobody's internal fault, without evidence.
func wantOrderly(t *testing.T, got peercert.Evidence, err error) {
	t.Helper()
	var denial *decision.Denial
	if !errors.As(err, &denial) || decision.ReasonOf(err) == decision.InternalError || denial.Field == "" {
		t.Errorf("not an orderly denial: %#v", err)
	}
	if len(err.Error()) > 500 {
		t.Errorf("a denial of %d bytes", len(err.Error()))
	}
	if got.Leaf != nil || got.Intermediates != nil || got.Thumbprint != [32]byte{} {
		t.Error("evidence beside an error")
	}
}

func wantLeaf(t *testing.T, got peercert.Evidence, encoded string) {
	t.Helper()
	text, err := url.PathUnescape(encoded)
	if err != nil {
		t.Fatalf("accepted what net/url refuses: %v", err)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0 {
		t.Fatalf("accepted what is not one block to encoding/pem: %q", text)
	}
	if !bytes.Equal(block.Bytes, got.Leaf.Raw) {
		t.Error("the leaf is not the certificate that stands there")
	}
	if got.Thumbprint != sha256.Sum256(block.Bytes) {
		t.Error("the thumbprint is not that of the certificate")
	}
}

// split splits at a byte outside of quotes.
func split(text string, at byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == at:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

func certOf(element string) string {
	for _, pair := range split(element, ';') {
		key, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(key, "Cert") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
