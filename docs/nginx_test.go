package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/config"
)

// What docs/nginx.md has a person type leads to a token, and to a refusal.
func TestTenMinutesWithNginx(t *testing.T) {
	needWalkTools(t)
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx, err = exec.LookPath("/usr/sbin/nginx") // where Debian keeps it from the PATH of users
	}
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("left out: there is no nginx: Debian's package is nginx-light")
	}
	if err != nil {
		t.Fatal(err)
	}
	free := freePorts(t, len(portsOfTheWalk))
	var pairs []string
	for i, port := range portsOfTheWalk {
		pairs = append(pairs, ":"+port, ":"+free[i], ", "+port+")", ", "+free[i]+")")
	}
	walkPage(t, "docs/nginx.md", map[string]string{"certbearer": certbearer(t), "nginx": nginx}, strings.NewReplacer(pairs...),
		"test is successful", "Authorization: Bearer ey", "signature: valid", "HTTP/1.1 401", `"error":"invalid_client"`, `{"token_type":"Bearer","access_token":"ey`)
}

// What docs/alb.md has a person type, with curl for a load balancer.
func TestTenMinutesWithoutAnALB(t *testing.T) {
	needWalkTools(t)
	free := freePorts(t, 2)
	walkPage(t, "docs/alb.md", map[string]string{"certbearer": certbearer(t)}, strings.NewReplacer(":9080", ":"+free[0], ":9193", ":"+free[1]),
		`{"token_type":"Bearer","access_token":"ey`, "signature: valid", "HTTP/1.1 401", `"error":"invalid_client"`,
		"whoever can connect to listen.proxies from 127.0.0.1/32 is believed as proxy alb",
		"proxy alb has to send the certificate in x-amzn-mtls-clientcert", "exit code 1")
}

func needWalkTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"bash", "openssl", "curl", "awk", "python3"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skipf("left out: there is no %s", tool)
		}
	}
}

// walkPage types the walk of a page in a folder of its own, on other ports and with
// the programs in PATH, and holds that it prints each text.
func walkPage(t *testing.T, page string, programs map[string]string, ports *strings.Replacer, wants ...string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "cb") // short: a socket's path has 104 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	bin := filepath.Join(folder, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range programs {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.Join(fenced(between(t, read(t, page), "<!-- walk -->", "<!-- /walk -->"), "sh"), "\n")
	output := runScript(t, folder, ports.Replace(script), bin)
	for _, want := range wants {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
}

func TestTheConfigurationsForNginxAndALBAreAccepted(t *testing.T) {
	for page, blocks := range map[string][]string{"docs/nginx.md": {"config remote"}, "docs/alb.md": {"alb token", "alb envoy-config"}} {
		for _, name := range blocks {
			block := onlyBlock(t, between(t, read(t, page), "<!-- "+name+" -->", "<!-- /"+name+" -->"))
			settings, err := config.Parse(page, []byte(block), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if page == "docs/nginx.md" {
				if err := settings.CheckNginx(page); err != nil {
					t.Error(fmt.Errorf("%s: %w", name, err))
				}
			}
		}
	}
}
