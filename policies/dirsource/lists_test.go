package dirsource_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	encoding "encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/dirsource"
	"github.com/certbearer/certbearer/policies/revocation"
)

func TestListsBesideTheDocumentsAreFollowed(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t, "CA")
	write(t, filepath.Join(dir, "a.json"), document("a", "active", string(ca.PEM())))
	updates := run(t, dirsource.Config{Dir: dir})
	clients := updates.have(t, "")
	write(t, filepath.Join(dir, "ca.crl"), asPEM(crl(t, ca, 1)))
	if now := updates.have(t, "ca.crl: 1"); now.snapshot != clients.snapshot {
		t.Error("a list makes another Snapshot: all that was decided counts no more")
	}
	write(t, filepath.Join(dir, "other.CRL"), string(crl(t, ca, 2)))
	both := updates.have(t, "ca.crl: 1, other.CRL: 2")
	write(t, filepath.Join(dir, "ca.crl"), asPEM(crl(t, ca, 3)))
	changed := updates.have(t, "ca.crl: 3, other.CRL: 2")
	if changed.report.CRLs.Files[1].Lists[0] != both.report.CRLs.Files[1].Lists[0] {
		t.Error("a file that did not change is read again")
	}
	if err := os.Remove(filepath.Join(dir, "ca.crl")); err != nil {
		t.Fatal(err)
	}
	updates.have(t, "other.CRL: 2")
}

func TestAListThatStaysInAFileThatChangesIsTheSame(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t, "CA")
	first := asPEM(crl(t, ca, 1))
	write(t, filepath.Join(dir, "ca.crl"), first)
	updates := run(t, dirsource.Config{Dir: dir})
	before := updates.have(t, "ca.crl: 1")
	write(t, filepath.Join(dir, "ca.crl"), asPEM(crl(t, ca, 2))+first)
	after := updates.have(t, "ca.crl: 2 1")
	if after.report.CRLs.Files[0].Lists[1] != before.report.CRLs.Files[0].Lists[0] {
		t.Error("it is another one, whose signature is to be checked again")
	}
}

func TestAFileOfListsThatCannotBeReadKeepsThoseThatItHad(t *testing.T) {
	ca := newCA(t, "CA")
	good := asPEM(crl(t, ca, 1))
	for sentence, c := range map[string]struct {
		spoil   func(t *testing.T, path string)
		problem string
	}{
		"it is empty":      {func(t *testing.T, path string) { write(t, path, "") }, "no CRL"},
		"it is cut short":  {func(t *testing.T, path string) { write(t, path, good[:len(good)/2]) }, "cut short"},
		"it is no list":    {func(t *testing.T, path string) { write(t, path, string(ca.PEM())) }, "no PEM block of type X509 CRL"},
		"it is a FIFO":     {func(t *testing.T, path string) { remove(t, path); must(t, mkfifo(path)) }, "no regular file"},
		"one of two lists": {func(t *testing.T, path string) { write(t, path, asPEM(crl(t, ca, 2))+"-----BEGIN X509 CRL-----\n") }, "block 2"},
		// A hole, so that it takes no space: its size is asked before it is read.
		"it is too large": {func(t *testing.T, path string) { must(t, os.Truncate(path, 2*revocation.MaxCRLBytes+1)) }, "bytes, more than"},
	} {
		for _, strict := range []bool{false, true} {
			t.Run(sentence, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				path := filepath.Join(dir, "ca.crl")
				write(t, path, good)
				updates := run(t, dirsource.Config{Dir: dir, Strict: strict})
				updates.have(t, "ca.crl: 1")
				c.spoil(t, path)
				updates.until(t, func(_ *policies.Snapshot, r policies.Report) bool {
					return lists(r) == "ca.crl: 1" && len(r.CRLs.Faults) == 1 && r.CRLs.Faults[0].File == "ca.crl" &&
						strings.HasPrefix(r.CRLs.Faults[0].Problem, "its last good revocation lists stay: ") && strings.Contains(r.CRLs.Faults[0].Problem, c.problem)
				})
				// Documents are not kept from being used, even in strict reading.
				write(t, filepath.Join(dir, "a.json"), document("a", "active", pem(t)))
				updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
					return status(s, "a") == "active" && !r.Kept && len(r.Faults) == 0 && lists(r) == "ca.crl: 1"
				})
				remove(t, path)
				write(t, path, asPEM(crl(t, ca, 5)))
				updates.until(t, func(_ *policies.Snapshot, r policies.Report) bool {
					return lists(r) == "ca.crl: 5" && len(r.CRLs.Faults) == 0
				})
			})
		}
	}
}

func TestAFileOfListsThatWasNeverGoodIsAFault(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca.crl"), "no list")
	_, report, err := dirsource.Load(dirsource.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if lists(report) != "" || len(report.CRLs.Faults) != 1 || !strings.HasPrefix(report.CRLs.Faults[0].Problem, "no revocation list of it is in use: ") {
		t.Errorf("%+v", report.CRLs)
	}
}

func TestFilesOfListsAreBoundedInNumber(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t, "CA")
	text := asPEM(crl(t, ca, 1))
	for i := range 501 {
		write(t, filepath.Join(dir, big.NewInt(int64(1000+i)).String()+".crl"), text)
	}
	_, report, err := dirsource.Load(dirsource.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(report.CRLs.Files); n != 500 {
		t.Errorf("%d files are in use", n)
	}
	if len(report.CRLs.Faults) != 1 || !strings.Contains(report.CRLs.Faults[0].Problem, "more than 500 files") {
		t.Errorf("%+v", report.CRLs.Faults)
	}
}

func TestTheSymlinkSwapOfAVolumeBringsLists(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t, "CA")
	version := func(name string, number int64) {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		write(t, filepath.Join(dir, name, "ca.crl"), asPEM(crl(t, ca, number)))
	}
	version("..2026_01", 1)
	must(t, os.Symlink("..2026_01", filepath.Join(dir, "..data")))
	must(t, os.Symlink("..data/ca.crl", filepath.Join(dir, "ca.crl")))
	updates := run(t, dirsource.Config{Dir: dir})
	updates.have(t, "ca.crl: 1")
	version("..2026_02", 2)
	must(t, os.Symlink("..2026_02", filepath.Join(dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	updates.have(t, "ca.crl: 2")
}

func TestAListThatNoClientsCASignedIsWarnedOfUntilOneDoes(t *testing.T) {
	dir, ca, namesake := t.TempDir(), newCA(t, "CA"), newCA(t, "CA")
	write(t, filepath.Join(dir, "a.json"), document("a", "active", string(namesake.PEM())))
	write(t, filepath.Join(dir, "ca.crl"), asPEM(crl(t, ca, 1)))
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(_ *policies.Snapshot, r policies.Report) bool {
		return lists(r) == "ca.crl: 1" && len(r.CRLs.Warnings) == 1 && r.CRLs.Warnings[0].File == "ca.crl" && strings.Contains(r.CRLs.Warnings[0].Problem, "no CA of a client signed")
	})
	write(t, filepath.Join(dir, "b.json"), document("b", "active", string(ca.PEM())))
	updates.until(t, func(_ *policies.Snapshot, r policies.Report) bool { return len(r.CRLs.Warnings) == 0 })
	remove(t, filepath.Join(dir, "b.json"))
	updates.until(t, func(_ *policies.Snapshot, r policies.Report) bool { return len(r.CRLs.Warnings) == 1 })
}

// lists says which lists there are, by file and cRLNumber.
func lists(r policies.Report) string {
	var all []string
	for _, file := range r.CRLs.Files {
		text := file.Name + ":"
		for _, list := range file.Lists {
			text += " " + list.Number.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// have waits until there are those lists and nothing is wrong.
func (u updates) have(t *testing.T, want string) update {
	t.Helper()
	var last update
	u.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		last = update{s, r}
		return lists(r) == want && len(r.CRLs.Faults) == 0
	})
	return last
}

func newCA(t *testing.T, name string) *testca.Issued {
	t.Helper()
	ca, err := testca.SelfSigned(testca.Template{CommonName: name, CA: true})
	must(t, err)
	return ca
}

// crl is an empty list in DER.
func crl(t *testing.T, ca *testca.Issued, number int64) []byte {
	t.Helper()
	now := time.Now()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour),
	}, ca.Certificate, ca.Key)
	must(t, err)
	return der
}

func asPEM(der []byte) string {
	var text bytes.Buffer
	_ = encoding.Encode(&text, &encoding.Block{Type: "X509 CRL", Bytes: der}) // to memory
	return text.String()
}

func remove(t *testing.T, path string) {
	t.Helper()
	must(t, os.Remove(path))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
