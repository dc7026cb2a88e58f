package istio

import (
	"bytes"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/certbearer/certbearer/envoy/kubernetes"
)

// File is one rendered file. None holds a secret.
type File struct {
	Name string
	Text []byte
}

// object is a manifest, or a part of one, by the names of its API.
type object = kubernetes.Object

// manifest is an object with what a person should know of it.
type manifest struct {
	comment string
	object  object
}

// VerificationFile is the one file that may be left out: see Params.Unverified.
const VerificationFile = "verification.yaml"

// Header is how each file begins.
const Header = "# Written by certbearer for Istio 1.31. Changes by hand are lost when it is\n# rendered again.\n"

// Files renders the manifests. mesh.yaml is for istioctl install, the others are
// applied in this order.
func Files(p Params) ([]File, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	verify, err := verification(p)
	if err != nil {
		return nil, err
	}
	files := []struct {
		name      string
		manifests []manifest
	}{
		{"mesh.yaml", []manifest{mesh(p)}},
		{"workload.yaml", workload(p)},
		{"access.yaml", access(p)},
		{"gateway.yaml", gateway(p)},
		{VerificationFile, verify},
	}
	var out []File
	for _, file := range files {
		if len(file.manifests) == 0 {
			continue
		}
		text, err := write(file.manifests)
		if err != nil {
			return nil, fmt.Errorf("istio: %s: %w", file.name, err)
		}
		out = append(out, File{file.name, text})
	}
	return out, nil
}

func write(manifests []manifest) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(Header)
	for _, m := range manifests {
		text, err := yaml.Marshal(m.object)
		if err != nil {
			return nil, err
		}
		b.WriteString("---\n")
		for line := range strings.Lines(m.comment) {
			b.WriteString("# " + line)
		}
		b.WriteString("\n")
		b.Write(text)
	}
	return b.Bytes(), nil
}

// made returns an object of certbearer's name and with its label.
func made(apiVersion, kind, namespace string, spec object) object {
	o := kubernetes.Named(apiVersion, kind, namespace, name)
	o["metadata"].(object)["labels"] = ours()
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

func named(o object, other string) object {
	o["metadata"].(object)["name"] = other
	return o
}

func ours() object { return kubernetes.Labels(name) }
