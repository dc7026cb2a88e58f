package main

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/certbearer/certbearer/policies"
)

var keyBegins = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----`)

// lookForKeys reports every file of the folder that holds a private key, hidden
// ones too, and says no more of it than the line. A document whose fault is such a
// key is reported already.
func lookForKeys(dir string, faults []policies.Fault, report *clientsReport) error {
	told := make(map[string]bool)
	for _, fault := range faults {
		if codeOfFault(fault) == codePrivateKey {
			told[fault.File] = true
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if told[entry.Name()] {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > policies.MaxFileBytes {
			continue
		}
		data, err := readUpTo(path, policies.MaxFileBytes)
		if err != nil {
			continue // a document's is reported; of others nobody asks
		}
		if line := keyIn(entry.Name(), data); line > 0 {
			report.add(finding{Code: codePrivateKey, File: entry.Name(), Line: line, Problem: "holds a private key"})
		}
	}
	return nil
}

// keyIn returns the line on which a private key begins, 0 if there is none.
func keyIn(name string, data []byte) int {
	if found := keyBegins.FindIndex(data); found != nil {
		return 1 + bytes.Count(data[:found[0]], []byte("\n"))
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".p12", ".pfx", ".jks":
		return 1 // made to hold keys, behind a password at best
	}
	if isKeyDER(data) {
		return 1
	}
	return 0
}

func isKeyDER(data []byte) bool {
	const most = 16 << 10 // of an RSA key of 16384 bits
	if len(data) == 0 || data[0] != 0x30 || len(data) > most {
		return false
	}
	_, pkcs8 := x509.ParsePKCS8PrivateKey(data)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(data)
	_, sec1 := x509.ParseECPrivateKey(data)
	return pkcs8 == nil || pkcs1 == nil || sec1 == nil
}
