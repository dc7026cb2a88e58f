package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz/config"
)

type renderCommands struct {
	Envoy        renderEnvoyCommand   `cmd:"" help:"Write Envoy's configuration."`
	EnvoyGateway renderGatewayCommand `cmd:"" help:"Write the manifests for Envoy Gateway."`
	Istio        renderIstioCommand   `cmd:"" help:"Write the manifests of an Istio ingress gateway."`
	Nginx        renderNginxCommand   `cmd:"" help:"Write nginx's configuration."`
}

type renderEnvoyCommand struct {
	configFlag
	OutputDir string `help:"Write envoy.yaml and envoy-sds.yaml into this folder, replacing them, instead of printing envoy.yaml. It is made where there is none." placeholder:"DIR"`
}

// The files of a rendered configuration.
const (
	envoyFile = "envoy.yaml"
	sdsFile   = "envoy-sds.yaml"
)

// Help is shown below the usage.
func (renderEnvoyCommand) Help() string {
	return `Writes the configuration with which Envoy asks for a client certificate without
judging it, hands every request to certbearer and removes what a caller could
forge. It comes from the configuration's envoy, listen and routes.

It is two files: envoy.yaml, and envoy-sds.yaml, which names the server's
certificate so that Envoy picks up a renewed one; where callers are proven by
mTLS, one more for Envoy's own. Without --output-dir envoy.yaml is printed, and
refers to the others beside the configuration file.

  certbearer render envoy --config demo/certbearer.yaml --output-dir demo
  envoy -c demo/envoy.yaml`
}

// Run renders.
func (r renderEnvoyCommand) Run(c *console) error {
	settings, err := r.load()
	if err != nil {
		return err
	}
	if err := settings.CheckEnvoy(r.file()); err != nil {
		return err
	}
	if r.OutputDir != "" {
		return r.write(c, settings)
	}
	folder, err := filepath.Abs(filepath.Dir(r.file()))
	if err != nil {
		return err
	}
	files, err := renderEnvoy(settings, folder)
	if err != nil {
		return inKeys(err, settings, r.file())
	}
	tellReplacements(c.stderr, settings)
	warnOfFiles(c.stderr, settings)
	for _, file := range files[1:] {
		if _, err := os.Stat(file.path); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(c.stderr, "certbearer: %s does not exist yet: --output-dir %s writes it\n", file.path, folder)
		}
	}
	_, err = c.stdout.Write(files[0].text)
	return err
}

// renderEnvoy returns the files for a folder, envoy.yaml first.
func renderEnvoy(settings *config.Config, folder string) ([]renderedFile, error) {
	params := envoyParams(settings, filepath.Join(folder, sdsFile))
	bootstrap, err := envoy.Bootstrap(params)
	if err != nil {
		return nil, err
	}
	secrets, err := envoy.Secrets(params)
	if err != nil {
		return nil, err
	}
	text, err := envoy.YAML(bootstrap)
	if err != nil {
		return nil, err
	}
	files := []renderedFile{{filepath.Join(folder, envoyFile), text}}
	for _, secret := range secrets {
		if text, err = envoy.YAML(secret.Document); err != nil {
			return nil, err
		}
		files = append(files, renderedFile{secret.Path, text})
	}
	return files, nil
}

// write writes the files into the folder.
func (r renderEnvoyCommand) write(c *console, settings *config.Config) error {
	folder, err := filepath.Abs(r.OutputDir)
	if err != nil {
		return err
	}
	files, err := renderEnvoy(settings, folder)
	if err != nil {
		return inKeys(err, settings, r.file())
	}
	tellReplacements(c.stderr, settings)
	warnOfFiles(c.stderr, settings)
	return writeOutput(folder, files...)
}

// tellReplacements says what an older Envoy has to do without, and what that
// means for clients.
func tellReplacements(w io.Writer, settings *config.Config) {
	for _, r := range envoy.Replacements(envoyParams(settings, "")) {
		kind, lost := "note", "nothing is lost"
		if r.Lost != "" {
			kind, lost = "warning", r.Lost
		}
		key, _ := keyOf(settings, &envoy.ParamError{Param: r.Param})
		fmt.Fprintf(w, "certbearer: %s: %s: %s is of Envoy %s and newer, envoy.version is %s: %s; %s\n",
			kind, key, r.Field, r.Since, settings.Envoy.Version, r.Instead, lost)
	}
}

// warnOfFiles says which of the files that Envoy will open cannot be used as
// they are here. It is no error: they may be on Envoy's machine only.
func warnOfFiles(w io.Writer, settings *config.Config) {
	e := settings.Envoy
	if legacy := legacyWarning(settings); legacy != "" {
		fmt.Fprintf(w, "certbearer: warning: %s\n", legacy)
	}
	pair := func(keys, certificate, key string) { warnOfPair(w, "Envoy", keys, certificate, key) }
	roots := func(key, file string) {
		if file != "" {
			_, err := readRoots(file)
			warnOfFile(w, "Envoy", key, err)
		}
	}
	pair("envoy.certificate, envoy.key", e.Certificate, e.Key)
	roots("envoy.upstreamCA", e.UpstreamCA)
	roots("envoy.legacyUpstreamCA", e.LegacyUpstreamCA)
	roots("envoy.front.trustedCA", e.Front.TrustedCA)
	pair("envoy.caller.certificate, envoy.caller.key", e.Caller.Certificate, e.Caller.Key)
	roots("envoy.caller.trustedCA", e.Caller.TrustedCA)
}
