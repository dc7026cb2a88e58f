package container

import (
	"fmt"
	"os"
	"path/filepath"
)

// podmanEnv is what podman needs besides. Whoever has named a containers.conf, or
// is not root, has settings that work.
func podmanEnv(folder string) (env []string, own bool, err error) {
	env = []string{
		"BUILDAH_ISOLATION=chroot", // a step of a build needs no namespaces of its own
		"DISABLE_HC_SYSTEMD=true",  // health checks are run by hand, not by timers
	}
	if os.Getenv("CONTAINERS_CONF") != "" || os.Geteuid() != 0 {
		return env, false, nil
	}
	dir := filepath.Join(folder, "podman")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, false, err
	}
	settings, storage := filepath.Join(dir, "containers.conf"), filepath.Join(dir, "storage.conf")
	for path, text := range map[string]string{settings: podmanSettings, storage: podmanStorage} {
		if err := os.WriteFile(path, fmt.Appendf(nil, text, dir), 0o644); err != nil {
			return nil, false, err
		}
	}
	return append(env, "CONTAINERS_CONF="+settings, "CONTAINERS_STORAGE_CONF="+storage), true, nil
}

const podmanSettings = `# Written by certbearer's tests.
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "%[1]s/run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "%[1]s/networks"
`

const podmanStorage = `# Written by certbearer's tests.
[storage]
driver = "vfs"
graphroot = "%[1]s/storage"
runroot = "%[1]s/run"
`
