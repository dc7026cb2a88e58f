package manifests_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// istioctl and what stands for istiod must be of one commit: one checks the fields
// that the other reads.
func TestIstioctlAndIstiodAreOfOneCommit(t *testing.T) {
	version := func(file, pattern string) string {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s names no version", file)
		}
		return string(found[1])
	}
	istioctl := version("Makefile", `istioctl/cmd/istioctl@(\S+)`)
	if istiod := version("integration/manifests/istiod/go.mod", `istio\.io/istio (\S+)`); istioctl != istiod {
		t.Errorf("istioctl is %s, istiod %s", istioctl, istiod)
	}
}
