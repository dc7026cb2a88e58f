package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/certbearer/certbearer/envoy/container"
)

// Started is the value of [container.Label] of every Envoy that runs in a container
// for us.
const Started = "envoy-run"

// ImageName is the name of the images that are made for an Envoy in a container.
const ImageName = "certbearer-envoy-run"

// contained returns an Envoy in a container: a script that takes Envoy's command line.
// It mounts the working directory and the folder of temporary files where they are,
// uses this machine's network, and runs as this user, so that paths, ports and sockets
// mean what they mean outside.
func contained(ctx context.Context, o Options) (Binary, error) {
	tools, err := o.tools()
	if err != nil {
		return Binary{}, err
	}
	engine, err := container.Find(ctx, tools)
	if err != nil {
		return Binary{}, err
	}
	inner, err := fetched(ctx, o)
	if err != nil {
		return Binary{}, err
	}
	image, err := buildImage(ctx, o, engine, inner)
	if err != nil {
		return Binary{}, err
	}
	b := Binary{Path: filepath.Join(filepath.Dir(inner.Path), "container", "envoy")}
	if err := writeScript(b.Path, script(engine, image)); err != nil {
		return Binary{}, err
	}
	return b, b.willDo(ctx, o.Version)
}

// imageFile is the image of the bare Envoy. The one of envoy/Dockerfile has the same
// files; here there may be no checkout.
const imageFile = "FROM scratch\nCOPY root/ /\nENTRYPOINT [\"/" + rootEnvoy + "\"]\n"

// buildImage makes the image once for each Envoy: its tag is of the program's path,
// which has the version, and of its size.
func buildImage(ctx context.Context, o Options, engine container.Engine, b Binary) (tag string, err error) {
	info, err := os.Stat(b.Path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", b.Path, info.Size(), imageFile))
	tag = ImageName + ":" + hex.EncodeToString(sum[:6])
	if _, err := engine.Run(ctx, "image", "inspect", tag); err == nil {
		return tag, nil
	}
	work, err := os.MkdirTemp("", "certbearer-image-")
	if err != nil {
		return "", err
	}
	o.say("building the image of %s with %s ...", b.Path, engine.Program)
	err = errors.Join(b.WriteRoot(filepath.Join(work, "root")), os.WriteFile(filepath.Join(work, "Dockerfile"), []byte(imageFile), 0o644))
	if err == nil {
		_, err = engine.Run(ctx, "build", "--tag", tag, work)
	}
	return tag, errors.Join(err, os.RemoveAll(work))
}

func script(engine container.Engine, image string) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Written by certbearer: Envoy in a container.\n")
	for _, variable := range engine.Env {
		fmt.Fprintf(&b, "export %s\n", quoted(variable))
	}
	b.WriteString("temporary=${TMPDIR:-/tmp}\n")
	fmt.Fprintf(&b, "exec %s run --rm --network host --read-only --cap-drop ALL --security-opt no-new-privileges \\\n", quoted(engine.Program))
	fmt.Fprintf(&b, "\t--label %s=%s --user \"$(id -u):$(id -g)\"", container.Label, Started)
	if engine.Podman && os.Geteuid() != 0 {
		b.WriteString(" --userns keep-id")
	}
	b.WriteString(" \\\n\t--volume \"$temporary:$temporary\" --volume \"$PWD:$PWD\" --workdir \"$PWD\" \\\n")
	fmt.Fprintf(&b, "\t%s \"$@\"\n", quoted(image))
	return b.String()
}

// quoted is the text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// writeScript is a rename: another process may be running it.
func writeScript(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".envoy-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o755), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
