package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// maxFileCertificates bounds the certificates of one --cert or --chain file.
const maxFileCertificates = 100

// readUpTo reads a file of at most limit bytes.
func readUpTo(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: has more than %d bytes", path, limit)
	}
	return data, nil
}

// standardInput is what a file is called that is named by -.
const standardInput = "standard input"

var errOneInput = errors.New("- stands for standard input, which can be one file only")

// shownFile is a file as messages name it.
func shownFile(path string) string {
	if path == "-" {
		return standardInput
	}
	return path
}

// readUpTo reads a file, or standard input for "-", which is there to be read once.
func (c *console) readUpTo(path string, limit int64) ([]byte, error) {
	switch {
	case path == "":
		return nil, errors.New("a file without a name was given: is a variable of the shell empty?")
	case path != "-":
		return readUpTo(path, limit)
	case c.drained:
		return nil, errOneInput
	}
	c.drained = true
	data, err := io.ReadAll(io.LimitReader(c.stdin, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", standardInput, err)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s: has more than %d bytes", standardInput, limit)
	}
	return data, nil
}

// readDERs returns the certificates of a PEM file, or what a DER file holds, not yet
// parsed: a server may be sent some that cannot be.
func (c *console) readDERs(path string) ([][]byte, error) {
	text, err := c.readUpTo(path, truststore.MaxStoreBytes)
	if err != nil {
		return nil, err
	}
	if isDER(text) {
		return [][]byte{text}, nil
	}
	ders, err := splitPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shownFile(path), err)
	}
	return ders, nil
}

// readRoots returns the certificates of a PEM file as those to trust.
func readRoots(path string) (*x509.CertPool, error) {
	text, err := readUpTo(path, truststore.MaxStoreBytes)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no PEM certificate", path)
	}
	return roots, nil
}

// splitPEM lets text stand around the blocks, for openssl x509 -text writes it.
// A block of another type is refused without a word of its content: it may be
// the private key. So is one that encoding/pem would silently skip, for then
// another certificate would be taken for the first.
func splitPEM(text []byte) ([][]byte, error) {
	var ders [][]byte
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("PEM block %d is no CERTIFICATE: give a file with certificates only", len(ders)+1)
		case len(ders) == maxFileCertificates:
			return nil, fmt.Errorf("more than %d certificates", maxFileCertificates)
		}
		ders = append(ders, block.Bytes)
	}
	switch begun := bytes.Count(text, []byte("-----BEGIN ")); {
	case begun != len(ders):
		return nil, fmt.Errorf("%d PEM blocks begin, and only %d can be read", begun, len(ders))
	case begun == 0:
		return nil, errors.New("no PEM certificate")
	}
	return ders, nil
}

// isDER reports whether a file begins as a certificate in DER does, with a length that
// no text goes on with.
func isDER(text []byte) bool { return len(text) > 1 && text[0] == 0x30 && text[1] >= 0x80 }

// presentedFiles are the files that stand for what a client presents: the
// leaf's file may hold the chain after it.
type presentedFiles struct {
	Cert  string `help:"The client's certificate, PEM or DER, or - for standard input; in PEM the intermediates may follow in the same file." required:"" placeholder:"FILE|-"`
	Chain string `help:"Intermediates that the client presents besides, PEM in any order, or one in DER." placeholder:"FILE|-"`
}

// read returns what the files hold, leaf first.
func (p presentedFiles) read(c *console) ([][]byte, error) {
	ders, err := c.readDERs(p.Cert)
	if err != nil || p.Chain == "" {
		return ders, err
	}
	more, err := c.readDERs(p.Chain)
	return append(ders, more...), err
}

// parse returns what the files hold as a chain to be judged. What is no certificate is
// refused, as by a server: CertificateMalformed.
func (p presentedFiles) parse(c *console) (*truststore.Chain, error) {
	var certificates []*x509.Certificate
	paths := []string{p.Cert}
	if p.Chain != "" {
		paths = append(paths, p.Chain)
	}
	for _, path := range paths {
		ders, err := c.readDERs(path)
		if err != nil {
			return nil, err
		}
		for i, der := range ders {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				// %.200s: the parser quotes names of the certificate, however long.
				return nil, decision.Denyf(decision.CertificateMalformed, fmt.Sprintf("%s: certificate %d", shownFile(path), i+1), "%.200s", err.Error())
			}
			certificates = append(certificates, certificate)
		}
	}
	return truststore.NewChain(certificates[0], certificates[1:]), nil
}
