// Command schemas writes the JSON schemas by which kubeconform checks the
// manifests, one a kind, without a network: those of Kubernetes from the OpenAPI
// documents that client-go and kubectl-validate carry, those of Istio from the
// resource definitions that istio.io/api carries. All are Apache-2.0; none is
// copied into this repository. An unknown field is an error in every one of them.
//
//	go run ./integration/manifests/schemas DIR k8s.io/client-go@v0.36.1 sigs.k8s.io/kubectl-validate@VERSION istio.io/api@v1.31.4
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: schemas DIR CLIENT-GO@VERSION KUBECTL-VALIDATE@VERSION ISTIO-API@VERSION")
		os.Exit(2)
	}
	if err := writeAll(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func writeAll(folder, clientGo, kubectlValidate, istioAPI string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	kubernetes, err := download(clientGo)
	if err != nil {
		return err
	}
	for _, name := range []string{"api__v1", "apis__apps__v1"} {
		if err := fromOpenAPI(folder, filepath.Join(kubernetes, "openapi", "openapitest", "testdata", name+"_openapi.json")); err != nil {
			return err
		}
	}
	// client-go has no document of the network policies.
	validate, err := download(kubectlValidate)
	if err != nil {
		return err
	}
	if err := fromOpenAPI(folder, filepath.Join(validate, "pkg", "openapiclient", "builtins", "1.32", "apis", "networking.k8s.io", "v1.json")); err != nil {
		return err
	}
	istio, err := download(istioAPI)
	if err != nil {
		return err
	}
	return fromDefinitions(folder, filepath.Join(istio, "kubernetes", "customresourcedefinitions.gen.yaml"))
}

// download returns the folder of a module, which go checks by its hash.
func download(module string) (string, error) {
	command := exec.Command("go", "mod", "download", "-json", module)
	command.Dir = os.TempDir() // not that of a module, whose go.sum would be asked
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w\n%s", module, err, output)
	}
	var answer struct{ Dir string }
	if err := json.Unmarshal(output, &answer); err != nil {
		return "", err
	}
	return answer.Dir, nil
}

type schema = map[string]any

// fromOpenAPI writes a schema for each kind of an OpenAPI 3 document.
func fromOpenAPI(folder, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("#/components/schemas/"), []byte("#/definitions/"))
	var document struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	all := document.Components.Schemas
	for _, one := range all {
		closed(one)
	}
	for name, one := range all {
		kinds, _ := one["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // of more than one are the options of every group
			continue
		}
		kind := kinds[0].(schema)
		whole := schema{"$ref": "#/definitions/" + name, "definitions": all}
		if err := write(folder, kind["kind"].(string), kind["group"].(string), kind["version"].(string), whole); err != nil {
			return err
		}
	}
	return nil
}

// definition is a CustomResourceDefinition.
type definition struct {
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct {
				OpenAPIV3Schema schema `yaml:"openAPIV3Schema"`
			}
		}
	}
}

// fromDefinitions writes a schema for each version of each resource definition.
func fromDefinitions(folder, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var d definition
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, version := range d.Spec.Versions {
			one := version.Schema.OpenAPIV3Schema
			properties := one["properties"].(schema)
			for _, common := range []string{"apiVersion", "kind"} {
				properties[common] = schema{"type": "string"}
			}
			properties["metadata"] = schema{"type": "object"}
			closed(one)
			if err := write(folder, d.Spec.Names.Kind, d.Spec.Group, version.Name, one); err != nil {
				return err
			}
		}
	}
}

// closed refuses what is not listed, wherever something is. Alternatives (oneOf and
// the like) only add conditions to what stands beside them and are left as they are.
func closed(s schema) {
	if s["x-kubernetes-preserve-unknown-fields"] == true {
		return
	}
	if s["x-kubernetes-int-or-string"] == true {
		delete(s, "type")
	}
	properties, _ := s["properties"].(schema)
	if _, free := s["additionalProperties"]; len(properties) > 0 && !free {
		s["additionalProperties"] = false
	}
	for _, property := range properties {
		if inner, ok := property.(schema); ok {
			closed(inner)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := s[key].(schema); ok {
			closed(inner)
		}
	}
}

func write(folder, kind, group, version string, whole schema) error {
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	if group == "" { // the core group, by kubeconform's name for it
		group = version
	}
	name := strings.ToLower(kind) + "_" + group + "_" + version + ".json"
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}
