package manifests_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A cluster gives a volume to the group fsGroup, with its bit set so that what is made
// within is the group's too, and open to all. In such volumes certbearer has to be
// content, as the user that the pod says, and the sidecar has to reach its sockets.
func TestInThePodsVolumesOnlyTheSidecarReachesTheSockets(t *testing.T) {
	if os.Geteuid() != 0 {
		leaveOut(t, "it takes root to run something as the pod's users")
	}
	var pod map[string]any
	for _, d := range documents(t, "envoy/istio/workload.yaml") {
		if d.kind == "Deployment" {
			pod, _ = at(d.fields, "spec", "template", "spec", "securityContext").(map[string]any)
		}
	}
	number := func(key string) uint32 {
		value, ok := pod[key].(int)
		if !ok {
			t.Fatalf("the pod has no %s", key)
		}
		return uint32(value)
	}
	user, group, volumes := number("runAsUser"), number("runAsGroup"), number("fsGroup")

	w := newWorld(t)
	for _, volume := range []string{"s", "state"} {
		path := filepath.Join(w.folder, volume)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 0, int(volumes)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o777|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
	}
	// The socket's folder is within the volume, as in the pod.
	w.sockets = "s/sockets"
	w.run = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: group, Groups: []uint32{volumes}}}
	w.serve(t, "envoy/istio")

	for name, c := range map[string]struct {
		uid, gid uint32
		reaches  bool
	}{
		"the sidecar":            {volumes, volumes, true},
		"another user":           {1000, 1000, false},
		"certbearer's own group": {1000, group, false},
	} {
		for _, socket := range []string{"extauthz.sock", "http.sock"} {
			command := exec.CommandContext(t.Context(), "curl", "-sS", "--max-time", "10", "-o", "/dev/null", "--http2-prior-knowledge",
				"--unix-socket", filepath.Join(w.folder, w.sockets, socket), "http://certbearer/.well-known/jwks.json")
			command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.gid}}
			command.WaitDelay = time.Second
			output, err := command.CombinedOutput()
			if refused := strings.Contains(string(output), "(7)"); refused == c.reaches {
				t.Errorf("%s and %s: reached: %t: %v %s", name, socket, !refused, err, output)
			}
		}
	}
}
