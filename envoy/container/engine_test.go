package container_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/container"
)

// The programs of a machine. A docker that has no engine answers --version too.
const (
	docker       = "#!/bin/sh\necho 'Docker version 28.2.2'\n"
	engineless   = "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'Docker version 28.2.2'\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n"
	podman       = "#!/bin/sh\necho 'podman version 4.3.1'\n"
	brokenPodman = "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'podman version 4.3.1'\necho 'no runc' >&2\nexit 125\n"
)

func TestWhichEngineIsTaken(t *testing.T) {
	for sentence, c := range map[string]struct {
		programs map[string]string
		named    string
		want     string
		podman   bool
		fault    string
	}{
		"docker first":                        {programs: map[string]string{"docker": docker, "podman": podman}, want: "docker"},
		"podman where docker has no engine":   {programs: map[string]string{"docker": engineless, "podman": podman}, want: "podman", podman: true},
		"podman where there is no docker":     {programs: map[string]string{"podman": podman}, want: "podman", podman: true},
		"podman by the name of docker":        {programs: map[string]string{"docker": podman}, want: "docker", podman: true},
		"the one that is named":               {programs: map[string]string{"docker": docker, "podman": podman}, named: "podman", want: "podman", podman: true},
		"no other than the one that is named": {programs: map[string]string{"docker": engineless, "podman": podman}, named: "docker", fault: "Cannot connect"},
		"none, and each says why":             {programs: map[string]string{"docker": engineless, "podman": brokenPodman}, fault: "no runc"},
		"none where there is no such program": {fault: "not on PATH"},
	} {
		t.Run(sentence, func(t *testing.T) {
			bin := t.TempDir()
			for name, text := range c.programs {
				if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", bin)
			t.Setenv(container.EnvEngine, c.named)
			e, err := container.Find(t.Context(), t.TempDir())
			if c.fault != "" {
				if !errors.Is(err, container.ErrNone) || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("error is %v, want one that says %q", err, c.fault)
				}
				return
			}
			if err != nil || e.Program != filepath.Join(bin, c.want) || e.Podman != c.podman {
				t.Errorf("%+v (%v), want %s", e, err, c.want)
			}
		})
	}
}

func TestPodmanOfRootKeepsAwayFromTheUsersImages(t *testing.T) {
	bin, folder := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "podman"), []byte(podman), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv(container.EnvEngine, "podman")
	t.Setenv("CONTAINERS_CONF", "")
	e, err := container.Find(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	storage, err := os.ReadFile(filepath.Join(folder, "podman", "storage.conf"))
	wanted := os.Geteuid() == 0
	if e.Own != wanted || wanted != strings.Contains(string(storage), `graphroot = "`+folder) {
		t.Errorf("own is %t, storage.conf %q (%v)", e.Own, storage, err)
	}
	t.Setenv("CONTAINERS_CONF", "/etc/containers/containers.conf")
	if e, err = container.Find(t.Context(), t.TempDir()); err != nil || e.Own {
		t.Errorf("the user's own settings are replaced: %+v (%v)", e, err)
	}
}
