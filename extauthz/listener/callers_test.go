package listener_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func TestTCPWithoutProvenCallersIsRefused(t *testing.T) {
	ca := newAuthority(t)
	good := files(t, t.TempDir(), ca, ca)
	noNames, badName := *good, *good
	noNames.SANs = nil
	badName.SANs = []string{envoyID, "*.example.org"}
	for name, test := range map[string]struct {
		address   string
		callers   listener.Callers
		wantError string
	}{
		"loopback without callers":          {"127.0.0.1:0", listener.Callers{}, `"callers: unauthenticated"`},
		"every interface without callers":   {":0", listener.Callers{}, `"callers: unauthenticated"`},
		"both kinds at once":                {"127.0.0.1:0", listener.Callers{MTLS: good, Unauthenticated: true}, "not both"},
		"mtls that lists nobody":            {"127.0.0.1:0", listener.Callers{MTLS: &noNames}, "sans is empty"},
		"mtls that lists a pattern":         {"127.0.0.1:0", listener.Callers{MTLS: &badName}, "sans[1]"},
		"callers of a Unix socket":          {"unix:/tmp/x.sock", listener.Callers{Unauthenticated: true}, `remove "callers"`},
		"mtls of a Unix socket":             {"unix:/tmp/x.sock", listener.Callers{MTLS: good}, `remove "callers"`},
		"an address that cannot be read":    {"nowhere", listener.Callers{Unauthenticated: true}, "neither"},
		"an address that cannot be open":    {"192.0.2.1:1", listener.Callers{Unauthenticated: true}, "bind"},
		"no address":                        {"", listener.Callers{}, "neither"},
		"loopback by name without callers":  {"localhost:0", listener.Callers{}, `"unix:/path"`},
		"IPv6 loopback without any callers": {"[::1]:0", listener.Callers{}, "trustedCA"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := listener.ListenEvidence(t.Context(), listener.EvidenceConfig{Address: test.address, Callers: test.callers})
			if err == nil {
				_ = e.Close()
			}
			wantError(t, err, test.wantError)
		})
	}
}

func TestMTLSFilesThatCannotBeUsedAreNamed(t *testing.T) {
	ca := newAuthority(t)
	leaf, key := ca.issue(t, names{dns: []string{"leaf"}})
	for name, test := range map[string]struct {
		file      string
		text      []byte
		wantError string
	}{
		"a certificate that is missing":        {file: "server.crt", wantError: "no such file"},
		"a key that is missing":                {file: "server.key", wantError: "no such file"},
		"a key of another certificate":         {file: "server.key", text: key, wantError: "does not match"},
		"a CA file without certificates":       {file: "callers.crt", text: []byte("# none\n"), wantError: "no PEM certificate"},
		"a CA file that holds a leaf":          {file: "callers.crt", text: slices.Concat(ca.pem, leaf), wantError: "block 2: not a CA"},
		"a CA file that holds a key":           {file: "callers.crt", text: slices.Concat(ca.pem, key), wantError: "block 2: a PEM block that is no CERTIFICATE"},
		"a CA file with a damaged block":       {file: "callers.crt", text: slices.Concat([]byte("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), ca.pem), wantError: "block 1: damaged"},
		"a CA file that ends in its middle":    {file: "callers.crt", text: ca.pem[:len(ca.pem)-30], wantError: "block 1: damaged"},
		"a CA file that is too large":          {file: "callers.crt", text: []byte(strings.Repeat("#", 1<<20+1)), wantError: "over 1048576 bytes"},
		"a CA file of nothing but zero octets": {file: "callers.crt", text: make([]byte, 100), wantError: "no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := files(t, dir, ca, ca)
			path := filepath.Join(dir, test.file)
			if test.text == nil {
				_ = os.Remove(path)
			} else {
				write(t, path, test.text)
			}
			_, err := listener.ListenEvidence(t.Context(), listener.EvidenceConfig{
				Address: "127.0.0.1:0", Callers: listener.Callers{MTLS: m},
			})
			wantError(t, err, test.wantError)
			wantError(t, err, path)
			if err != nil && strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("the error repeats the key file: %v", err)
			}
		})
	}
}

func FuzzParseRoots(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("comment\n-----BEGIN X-----\n-----END X-----\n"))
	f.Add([]byte("-----BEGIN"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		roots, err := listener.ParseRoots(text)
		if (roots == nil) == (err == nil) {
			t.Errorf("ParseRoots = %v, %v", roots, err)
		}
	})
}
