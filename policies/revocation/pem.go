package revocation

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
)

const pemType = "X509 CRL"

// ParseCRLs reads a file of CRLs: one in DER, or PEM blocks of type X509 CRL
// with white space between them and nothing else. One that cannot be read is an
// error of the whole file: a list that is missing must not look like one that is
// empty.
func ParseCRLs(text []byte) ([]*CRL, error) { return parseCRLs(text, nil) }

func parseCRLs(text []byte, check func(*CRL) error) ([]*CRL, error) {
	if len(text) > 2*MaxCRLBytes {
		return nil, fmt.Errorf("%d bytes of CRLs, more than %d", len(text), 2*MaxCRLBytes)
	}
	if len(text) > 0 && text[0] == 0x30 {
		c, err := parseCRL(text, check)
		if err != nil {
			return nil, err
		}
		return []*CRL{c}, nil
	}
	var all []*CRL
	for rest := bytes.TrimSpace(text); len(rest) > 0; {
		n := len(all) + 1
		if n > maxCRLsOfFile {
			return nil, fmt.Errorf("more than %d CRLs", maxCRLsOfFile)
		}
		if !bytes.HasPrefix(rest, []byte("-----BEGIN "+pemType+"-----")) {
			return nil, fmt.Errorf("block %d: text that is no PEM block of type %s, which is all that openssl crl -in FILE writes", n, pemType)
		}
		block, after := pem.Decode(rest)
		if block == nil || len(block.Headers) != 0 || bytes.Count(rest[:len(rest)-len(after)], []byte("-----BEGIN ")) != 1 {
			return nil, fmt.Errorf("block %d is cut short or is no base64", n)
		}
		c, err := parseCRL(block.Bytes, check)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
		all, rest = append(all, c), bytes.TrimSpace(after)
	}
	if len(all) == 0 {
		return nil, errors.New("no CRL")
	}
	return all, nil
}
