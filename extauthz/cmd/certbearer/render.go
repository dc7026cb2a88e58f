package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz/config"
)

type renderCommands struct {
	Envoy renderEnvoyCommand `cmd:"" help:"Write Envoy's configuration."`
}

type renderEnvoyCommand struct {
	configFlag
	OutputDir string `help:"Write envoy.yaml and envoy-sds.yaml into this folder, replacing them, instead of printing envoy.yaml." placeholder:"DIR"`
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
certificate so that Envoy picks up a renewed one. Without --output-dir envoy.yaml
is printed, and refers to envoy-sds.yaml beside the configuration file.

  certbearer render envoy --config demo/certbearer.yaml --output-dir demo
  envoy -c demo/envoy.yaml`
}

// Run renders.
func (r renderEnvoyCommand) Run(c *console) error {
	settings, err := config.Load(r.Config)
	if err != nil {
		return err
	}
	if err := settings.CheckEnvoy(r.Config); err != nil {
		return err
	}
	if r.OutputDir != "" {
		return writeEnvoy(settings, r.OutputDir)
	}
	folder, err := filepath.Abs(filepath.Dir(r.Config))
	if err != nil {
		return err
	}
	sds := filepath.Join(folder, sdsFile)
	text, err := renderEnvoy(envoyParams(settings, sds))
	if err != nil {
		return err
	}
	if _, err := os.Stat(sds); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(c.stderr, "certbearer: %s does not exist yet: --output-dir %s writes it\n", sds, folder)
	}
	_, err = c.stdout.Write(text)
	return err
}

func renderEnvoy(params envoy.Params) ([]byte, error) {
	bootstrap, err := envoy.Bootstrap(params)
	if err != nil {
		return nil, err
	}
	return envoy.YAML(bootstrap)
}

// writeEnvoy writes both files. They hold paths and no secrets.
func writeEnvoy(settings *config.Config, folder string) error {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	params := envoyParams(settings, filepath.Join(absolute, sdsFile))
	bootstrap, err := envoy.Bootstrap(params)
	if err != nil {
		return err
	}
	secrets, err := envoy.Secrets(params)
	if err != nil {
		return err
	}
	for name, message := range map[string]proto.Message{envoyFile: bootstrap, sdsFile: secrets} {
		text, err := envoy.YAML(message)
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(absolute, name), text); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile never leaves half a file: Envoy may be reading it.
func replaceFile(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already if all went well
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
