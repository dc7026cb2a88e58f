package listener

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	maxPEMFile = 1 << 20
	maxRoots   = 1000
)

var pemBegin = []byte("-----BEGIN")

// PartError says which part of [MTLS] cannot be used.
type PartError struct {
	// Part is "certificate", "key" or "trustedCA".
	Part string
	Err  error
}

// Error returns "mtls: PART: CAUSE".
func (e *PartError) Error() string { return "mtls: " + e.Part + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *PartError) Unwrap() error { return e.Err }

// readPair reads a certificate chain and its key. No error repeats a byte of
// the key file.
func readPair(certificate, key string) (tls.Certificate, error) {
	chain, err := readBounded(certificate)
	if err != nil {
		return tls.Certificate{}, &PartError{"certificate", err}
	}
	private, err := readBounded(key)
	if err != nil {
		return tls.Certificate{}, &PartError{"key", err}
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return tls.Certificate{}, &PartError{"certificate", fmt.Errorf("%s with key %s: %w", certificate, key, err)}
	}
	return pair, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	text, err := readBounded(file)
	if err != nil {
		return nil, &PartError{"trustedCA", err}
	}
	roots, err := ParseRoots(text)
	if err != nil {
		return nil, &PartError{"trustedCA", fmt.Errorf("%s: %w", file, err)}
	}
	return roots, nil
}

// ParseRoots reads PEM CA certificates, one at least; text between the blocks
// is allowed (RFC 7468 section 2). A certificate that is no CA, another kind of
// block or a damaged one is an error that names the block: a bundle that trusts
// less than it seems to is found out now and not in a handshake.
func ParseRoots(text []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	n := 1
	for ; bytes.Contains(text, pemBegin); n++ {
		if n > maxRoots {
			return nil, fmt.Errorf("over %d certificates", maxRoots)
		}
		root, rest, err := nextRoot(text)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
		roots.AddCert(root)
		text = rest
	}
	if n == 1 {
		return nil, errors.New("no PEM certificate")
	}
	return roots, nil
}

func nextRoot(text []byte) (*x509.Certificate, []byte, error) {
	block, rest := pem.Decode(text)
	// pem.Decode passes over a block that it cannot read.
	if block == nil || bytes.Count(text[:len(text)-len(rest)], pemBegin) != 1 {
		return nil, nil, errors.New("damaged PEM")
	}
	if block.Type != "CERTIFICATE" {
		return nil, nil, errors.New("a PEM block that is no CERTIFICATE")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	if !root.BasicConstraintsValid || !root.IsCA {
		return nil, nil, errors.New("not a CA certificate (basicConstraints)")
	}
	return root, rest, nil
}

func readBounded(file string) ([]byte, error) {
	open, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = open.Close() }()
	text, err := io.ReadAll(io.LimitReader(open, maxPEMFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPEMFile {
		return nil, fmt.Errorf("%s: over %d bytes", file, maxPEMFile)
	}
	return text, nil
}
