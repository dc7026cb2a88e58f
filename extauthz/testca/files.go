package testca

import (
	"errors"
	"fmt"
	"os"
)

// WriteFiles writes ChainPEM to certFile (mode 0644) and KeyPEM to keyFile
// (mode 0600). It overwrites nothing, the error then matches fs.ErrExist, and
// where it fails it leaves neither file of its own behind.
func (i *Issued) WriteFiles(certFile, keyFile string) error {
	key, err := i.KeyPEM()
	if err != nil {
		return err
	}
	if err := writeNew(keyFile, key, 0o600); err != nil {
		return fmt.Errorf("testca: private key: %w", err)
	}
	if err := writeNew(certFile, i.ChainPEM(), 0o644); err != nil {
		return fmt.Errorf("testca: certificate: %w", errors.Join(err, os.Remove(keyFile)))
	}
	return nil
}

func writeNew(name string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
