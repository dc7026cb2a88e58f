package peercert

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	pemBegin   = "-----BEGIN CERTIFICATE-----"
	pemEnd     = "-----END CERTIFICATE-----"
	whitespace = " \t\r\n"
)

// errTooManyBlocks is the fault of text that holds more blocks than asked for.
var errTooManyBlocks = errors.New("too many PEM blocks")

// readBlocks returns the DER of each certificate in URL-encoded PEM: 1 to most
// blocks. Nothing of the DER is parsed.
func readBlocks(encoded string, most int) ([][]byte, error) {
	text, err := unescape(encoded)
	if err != nil {
		return nil, err
	}
	return plainBlocks(text, most)
}

// plainBlocks is readBlocks of PEM as it is.
func plainBlocks(text []byte, most int) ([][]byte, error) {
	var ders [][]byte
	for text = bytes.TrimLeft(text, whitespace); len(text) > 0; text = bytes.TrimLeft(text, whitespace) {
		if len(ders) == most {
			return nil, fmt.Errorf("%w: at most %d belong here", errTooManyBlocks, most)
		}
		der, rest, err := readBlock(text)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(ders)+1, err)
		}
		ders, text = append(ders, der), rest
	}
	if len(ders) == 0 {
		return nil, errors.New("no PEM block")
	}
	return ders, nil
}

// readBlock reads the block that text begins with. encoding/pem would look for
// one further on, past garbage and past blocks it cannot read, and would take
// headers; here the first byte that does not fit ends it. What is not base64
// between the two lines, a header included, is left to the strict decoder.
func readBlock(text []byte) (der, rest []byte, err error) {
	text, begins := bytes.CutPrefix(text, []byte(pemBegin))
	body, rest, ends := bytes.Cut(text, []byte(pemEnd))
	switch {
	case !begins:
		return nil, nil, fmt.Errorf("does not begin with %q", pemBegin)
	case !ends:
		return nil, nil, fmt.Errorf("has no %q", pemEnd)
	case !startsLine(body) || !bytes.HasSuffix(body, []byte("\n")):
		return nil, nil, errors.New("its first or last line is not a line of its own")
	case len(rest) > 0 && !startsLine(rest):
		return nil, nil, errors.New("something follows on its last line")
	}
	der = make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Strict().Decode(der, body)
	if err != nil {
		return nil, nil, err
	}
	return der[:n], rest, nil
}

func startsLine(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\n")) || bytes.HasPrefix(text, []byte("\r\n"))
}

// unescape decodes percent-encoding as a path has it (RFC 3986 section 2.1): a
// plus sign stays one, because some proxies leave those of base64 as they are.
func unescape(encoded string) ([]byte, error) {
	plain := make([]byte, 0, len(encoded))
	for {
		before, after, found := strings.Cut(encoded, "%")
		plain = append(plain, before...)
		if !found {
			return plain, nil
		}
		digits := after[:min(2, len(after))]
		decoded, err := hex.AppendDecode(plain, []byte(digits))
		if err != nil || len(digits) < 2 {
			return nil, fmt.Errorf("%q is not a percent-encoded byte", "%"+digits)
		}
		plain, encoded = decoded, after[2:]
	}
}

// hasControl reports a byte that no header value may hold. Line breaks of PEM
// are only ever written as %0A or %0D.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
