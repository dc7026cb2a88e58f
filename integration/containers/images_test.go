package containers_test

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// image is what an image says of itself, as far as tests look at it.
type image struct {
	Architecture string
	Config       struct {
		User, WorkingDir string
		Entrypoint, Cmd  []string
		Env              []string
		Labels           map[string]string
	}
}

func inspect(t *testing.T, name string) image {
	t.Helper()
	var all []image
	if err := json.Unmarshal([]byte(asked(t, "image", "inspect", name+":"+tag)), &all); err != nil || len(all) != 1 {
		t.Fatalf("%d images of the name (%v)", len(all), err)
	}
	return all[0]
}

func TestTheImagesOfBothArchitectures(t *testing.T) {
	wanted(t)
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	// This machine's last: the tests that run them come after.
	for _, arch := range []string{other, runtime.GOARCH} {
		makeImages(t, "ARCH="+arch)
		for _, program := range []string{"certbearer", "echo"} {
			isStatic(t, filepath.Join(root, "dist", "linux-"+arch, program), arch, machines[arch])
		}
		for _, name := range []string{"certbearer", "certbearer-echo"} {
			if got := inspect(t, name).Architecture; got != arch {
				t.Errorf("%s is for %s, want %s", name, got, arch)
			}
		}
	}
	t.Run("certbearer's has a user, a command and nothing else", certbearersImage)
	t.Run("Envoy's is of the same group", envoysImage)
}

// isStatic: the program is for the machine, needs no loader and no library, and was
// built without cgo.
func isStatic(t *testing.T, path, arch string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	loads := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if err != nil || f.Machine != machine || loads || len(libraries) > 0 {
		t.Errorf("%s is for %v, want %v; has a loader: %t, libraries: %v (%v)", path, f.Machine, machine, loads, libraries, err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["CGO_ENABLED"] != "0" || settings["GOARCH"] != arch || settings["GOOS"] != "linux" {
		t.Errorf("%s was built with %v", path, settings)
	}
}

func certbearersImage(t *testing.T) {
	i := inspect(t, "certbearer")
	if i.Config.User != "65532:65532" || !slices.Equal(i.Config.Entrypoint, []string{"/usr/local/bin/certbearer"}) ||
		!slices.Equal(i.Config.Cmd, []string{"serve"}) || i.Config.Labels["org.opencontainers.image.licenses"] != "Apache-2.0" {
		t.Errorf("it is %+v", i)
	}
	if said := asked(t, append(bare(), "certbearer:"+tag, "version")...); !strings.HasPrefix(said, "certbearer ") {
		t.Errorf("it says %q", said)
	}
	for _, program := range []string{"/bin/sh", "/bin/bash", "/bin/busybox"} {
		if out, err := engine.Run(t.Context(), append(bare(), "--entrypoint", program, "certbearer:"+tag)...); err == nil {
			t.Errorf("there is a %s: %s", program, out)
		}
	}
}

func envoysImage(t *testing.T) {
	i := inspect(t, "certbearer-envoy")
	if i.Config.User != "65533:65532" || !slices.Equal(i.Config.Entrypoint, []string{"/usr/local/bin/envoy"}) {
		t.Errorf("it is %+v", i)
	}
	if said := asked(t, append(bare(), "certbearer-envoy:"+tag, "--version")...); !strings.Contains(said, "/RELEASE/") {
		t.Errorf("it says %q", said)
	}
}

// bare is a run that may do nothing.
func bare() []string {
	return []string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}
}
