package dirsource_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/dirsource"
	"github.com/certbearer/certbearer/policies/sourcetest"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDirectorySourceConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, strict bool) sourcetest.Fixture {
		dir := t.TempDir()
		return sourcetest.Fixture{
			Source: dirsource.New(dirsource.Config{Dir: dir, Strict: strict}),
			Write:  func(t *testing.T, name, text string) { write(t, filepath.Join(dir, name), text) },
			Remove: func(t *testing.T, name string) {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			},
		}
	}, []string{pem(t), pem(t), pem(t)})
}

func TestKubernetesVolumeSwapIsFollowed(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(sub, "a.json"), text)
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	version("..2026_01", document("a", "active", pem(t)))
	link("..2026_01", "..data")
	link("..data/a.json", "a.json")
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })

	version("..2026_02", document("a", "off", pem(t)))
	link("..2026_02", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "off" })
}

// x shares a CA with y, who is bound to no subject. Whatever becomes of the
// document of x, its certificate is not y's.
func TestADocumentThatWasNeverGoodKeepsItsCertificatesFromOthers(t *testing.T) {
	root, err := testca.SelfSigned(testca.Template{CommonName: "CA", CA: true})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := root.Issue(testca.Template{CommonName: "x"})
	if err != nil {
		t.Fatal(err)
	}
	text := func(members map[string]any) string {
		members["resourceType"] = "ClientApplication"
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ca, pinned, bound := string(root.PEM()), string(leaf.PEM()), map[string]string{"subjectDn": "CN=x"}
	type all = map[string]any
	for sentence, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"good":                          {map[string]string{"x.json": text(all{"certificateTrustStore": ca, "tlsClientAuth": bound})}, "x"},
		"bound, with a slip":            {map[string]string{"x.json": text(all{"certificateTrustStore": ca, "tlsClientAuth": bound, "naame": "x"})}, "x refuses: client_inactive"},
		"pinned and off, with a slip":   {map[string]string{"x.json": text(all{"certificateTrustStore": pinned, "status": "off", "naame": "x"})}, "x refuses: client_inactive"},
		"pinned, without a good id":     {map[string]string{"x.json": text(all{"certificateTrustStore": pinned, "id": "x y"})}, "x.json#1 refuses: client_inactive"},
		"pinned, one of two without id": {map[string]string{"x.json": text(all{"id": "z"}) + text(all{"certificateTrustStore": pinned})}, "x.json#2 refuses: client_inactive"},
		"in two documents, bound in the second": {map[string]string{
			"x.json": text(all{"certificateTrustStore": pem(t)}), "x2.json": text(all{"id": "x", "certificateTrustStore": ca, "tlsClientAuth": bound}),
		}, "x refuses: client_inactive"},
		"in a Bundle with a slip": {map[string]string{
			"b.json": `{"resourceType":"Bundle","type":"a","type":"b","entry":[{"resource":` + text(all{"id": "x", "certificateTrustStore": pinned}) + `}]}`,
		}, "x refuses: client_inactive"},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "y.json"), text(all{"certificateTrustStore": ca}))
			for name, text := range c.files {
				write(t, filepath.Join(dir, name), text)
			}
			s, _, err := dirsource.Load(dirsource.Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if got := decide(s, leaf); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// decide says whose the certificate is, or why it is refused.
func decide(s *policies.Snapshot, leaf *testca.Issued) string {
	chain := truststore.NewChain(leaf.Certificate, nil)
	client, err := s.Resolve(chain, policies.Hint{}, nil)
	if err != nil {
		return decision.ReasonOf(err).String()
	}
	if _, err := client.Judge(s, chain, nil, time.Now(), nil); err != nil {
		return client.ID() + " refuses: " + decision.ReasonOf(err).String()
	}
	return client.ID()
}

func TestADocumentThatLosesItsIDStaysTheClientsThatItWas(t *testing.T) {
	dir := t.TempDir()
	name, store := filepath.Join(dir, "file.json"), pem(t)
	write(t, name, document("a", "active", store))
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })
	write(t, name, strings.Replace(document("a", "active", store), `"id"`, `"Id"`, 1))
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		return status(s, "a") == "active" && s.Len() == 1 && len(r.Faults) == 1
	})
	write(t, name, strings.Replace(document("a", "off", store), `"id"`, `"Id"`, 1))
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool { return status(s, "a") == "off" && s.Len() == 1 })
	write(t, name, document("a", "active", store))
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		return status(s, "a") == "active" && len(r.Faults) == 0
	})
}

func TestAnIDThatIsCutShortIsNoOtherClients(t *testing.T) {
	dir := t.TempDir()
	name, store := filepath.Join(dir, "file.yaml"), pem(t)
	whole := "resourceType: ClientApplication\ncertificateTrustStore: |\n  " + strings.ReplaceAll(strings.TrimSpace(store), "\n", "\n  ") + "\nstatus: active\nid: partner\n"
	write(t, filepath.Join(dir, "part.json"), document("part", "active", pem(t)))
	write(t, name, whole)
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return s.Len() == 2 })
	write(t, name, strings.TrimSuffix(whole, "ner\n"))
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		partner, part := s.Client("partner"), s.Client("part")
		return len(r.Faults) == 2 && s.Len() == 2 && status(s, "part") == "active" && status(s, "partner") == "active" &&
			len(s.PinnedBy(partner.Pins()[0])) == 1 && len(s.PinnedBy(part.Pins()[0])) == 1
	})
	write(t, name, strings.TrimSuffix(strings.Replace(whole, "active", "off", 1), "ner\n"))
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool {
		return status(s, "part") == "active" && status(s, "partner") == "off"
	})
}

func TestALinkedFileThatIsEditedInPlaceIsFollowed(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "a.json")
	write(t, elsewhere, document("a", "active", pem(t)))
	updates := run(t, dirsource.Config{Dir: dir})
	if err := os.Symlink(elsewhere, filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })
	write(t, elsewhere, document("a", "off", pem(t)))
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "off" })
}

func TestALinkedFileWhoseSizeAndTimeStayIsFollowed(t *testing.T) {
	dir, elsewhere, store := t.TempDir(), filepath.Join(t.TempDir(), "a.json"), pem(t)
	soon := time.Now().Add(time.Hour)
	put := func(status string) {
		write(t, elsewhere, document("a", status, store))
		if err := os.Chtimes(elsewhere, soon, soon); err != nil {
			t.Fatal(err)
		}
	}
	put("active")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })
	put("OFFOFF") // which is no status, of the same length
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "off" })
}

func TestALinkToNothingKeepsItsClients(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "a.json")
	link := filepath.Join(dir, "a.json")
	write(t, elsewhere, document("a", "active", pem(t)))
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })
	if err := os.Remove(elsewhere); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		return status(s, "a") == "active" && len(r.Faults) == 1 && r.Faults[0].Problem == "is a link to nothing"
	})
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool { return s.Len() == 0 && len(r.Faults) == 0 })
}

func TestFolderThatDisappearsKeepsItsClients(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clients")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a.json"), document("a", "active", pem(t)))
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })

	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		return status(s, "a") == "active" && len(r.Faults) == 1 && strings.Contains(r.Faults[0].Problem, "its last clients stay")
	})
	write(t, filepath.Join(dir+".away", "b.json"), document("b", "active", pem(t)))
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		return status(s, "a") == "active" && status(s, "b") == "active" && len(r.Faults) == 0
	})
}

func TestRunFailsWhereThereIsNoFolder(t *testing.T) {
	source := dirsource.New(dirsource.Config{Dir: filepath.Join(t.TempDir(), "absent")})
	err := source.Run(context.Background(), func(*policies.Snapshot, policies.Report) { t.Error("something was published") })
	if err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("got %v, want an error that names the folder", err)
	}
}

func TestLoadSaysWhatItLeavesOut(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), document("a", "active", pem(t)))
	write(t, filepath.Join(dir, "ca.pem"), pem(t))
	write(t, filepath.Join(dir, ".hidden.json"), "{{{")
	if err := os.Mkdir(filepath.Join(dir, "sub.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	snapshot, report, err := dirsource.Load(dirsource.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Len() != 1 || report.Documents != 1 || len(report.Faults) != 0 {
		t.Errorf("got %d clients of %d documents, faults %v; want one of one and none", snapshot.Len(), report.Documents, report.Faults)
	}
	var left []string
	for _, warning := range report.Warnings {
		left = append(left, warning.File)
	}
	if got := strings.Join(left, " "); got != "ca.pem sub.json" {
		t.Errorf("left out %q, want ca.pem and sub.json", got)
	}
}

func TestUnreadableFileKeepsItsClients(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), document("a", "active", pem(t)))
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })
	// A FIFO can be opened by no one without blocking: it must not be tried.
	fifo := filepath.Join(dir, "a.json")
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	if err := mkfifo(fifo); err != nil {
		t.Fatal(err)
	}
	updates.until(t, func(_ *policies.Snapshot, r policies.Report) bool {
		return len(r.Faults) == 1 && strings.Contains(r.Faults[0].Problem, "no regular file")
	})
}

func TestPartOfAFileThatCannotBeReadKeepsItsClients(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "many.yaml")
	write(t, name, "resourceType: ClientApplication\nid: a\n---\nresourceType: ClientApplication\nid: b\n")
	updates := run(t, dirsource.Config{Dir: dir})
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return s.Len() == 2 })
	write(t, name, "resourceType: ClientApplication\nid: a\nstatus: off\n---\nresourceType: [\n")
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
		return status(s, "a") == "off" && status(s, "b") == "active" && len(r.Faults) == 1
	})
	write(t, name, "resourceType: ClientApplication\nid: a\nstatus: off\n")
	updates.until(t, func(s *policies.Snapshot, r policies.Report) bool { return s.Client("b") == nil && len(r.Faults) == 0 })
}

// A folder behind a link is watched where it was. If a rescan found the first
// exchange, the next one comes too late for the second.
func TestReloadReadsWhatNoEventTold(t *testing.T) {
	link, empty, full := filepath.Join(t.TempDir(), "clients"), t.TempDir(), t.TempDir()
	write(t, filepath.Join(full, "a.json"), document("a", "active", pem(t)))
	pointTo(t, link, empty)
	source := dirsource.New(dirsource.Config{Dir: link})
	updates := start(t, source)
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return s.Len() == 0 })
	pointTo(t, link, full)
	source.Reload()
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return status(s, "a") == "active" })
	pointTo(t, link, empty)
	source.Reload()
	updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return s.Len() == 0 })
}

// pointTo makes a link, or swaps one as Kubernetes does.
func pointTo(t *testing.T, link, target string) {
	t.Helper()
	if err := os.Symlink(target, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

// Medplum answered such a store with a fault of its own at each request.
func TestMedplumFault10_AClientWhoseStoreIsMalformedKeepsWorking(t *testing.T) {
	lab, err := testca.SelfSigned(testca.Template{CommonName: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	good := string(lab.PEM())
	for sentence, bad := range map[string]string{
		"no base64":             strings.Replace(good, "\nM", "\n*", 1),
		"cut short":             good[:len(good)/2],
		"base64 of no ASN.1":    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"ASN.1 that is cut off": "-----BEGIN CERTIFICATE-----\n" + strings.Split(good, "\n")[1] + "\n-----END CERTIFICATE-----\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "lab.json"), document("lab", "active", good))
			updates := run(t, dirsource.Config{Dir: dir})
			updates.until(t, func(s *policies.Snapshot, _ policies.Report) bool { return decide(s, lab) == "lab" })
			write(t, filepath.Join(dir, "lab.json"), document("lab", "active", bad))
			updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
				return decide(s, lab) == "lab" && len(r.Faults) == 1 && r.Faults[0].Field == "certificateTrustStore"
			})
			write(t, filepath.Join(dir, "other.json"), document("other", "active", pem(t)))
			updates.until(t, func(s *policies.Snapshot, r policies.Report) bool {
				return decide(s, lab) == "lab" && status(s, "other") == "active" && len(r.Faults) == 1
			})
		})
	}
}

type update struct {
	snapshot *policies.Snapshot
	report   policies.Report
}

type updates chan update

func run(t *testing.T, config dirsource.Config) updates {
	t.Helper()
	return start(t, dirsource.New(config))
}

func start(t *testing.T, source *dirsource.Source) updates {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := make(updates, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- source.Run(ctx, func(s *policies.Snapshot, r policies.Report) { out <- update{s, r} })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return out
}

// beforeRescan is a time within which the whole folder is not looked at again,
// just after that was done: a change that nobody is told of comes too late.
const beforeRescan = 6 * time.Second

func (u updates) until(t *testing.T, fits func(*policies.Snapshot, policies.Report) bool) {
	t.Helper()
	deadline := time.After(beforeRescan)
	var last update
	for {
		select {
		case last = <-u:
			if fits(last.snapshot, last.report) {
				return
			}
		case <-deadline:
			t.Fatalf("the state did not come; the last report: %+v", last.report)
		}
	}
}

func status(s *policies.Snapshot, id string) string {
	if client := s.Client(id); client != nil {
		return client.Status().String()
	}
	return "absent"
}

func document(id, status, pem string) string {
	text, err := json.Marshal(map[string]string{
		"resourceType": "ClientApplication", "id": id, "status": status, "certificateTrustStore": pem,
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func pem(t *testing.T) string {
	t.Helper()
	issued, err := testca.SelfSigned(testca.Template{CommonName: "client"})
	if err != nil {
		t.Fatal(err)
	}
	return string(issued.PEM())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
