// Package kubernetes owns certbearer's own manifests, by which it runs in a
// cluster: [Pod], [Deployment] and [Storage] are the same behind every proxy.
// [Manifests] is all of it behind a proxy in another pod that reaches it over TCP:
// the workload, its service, and who may reach it. The manifests of each proxy, and
// what is otherwise in a mesh, have packages of their own.
//
// Nothing here reads a file. The same Params give the same objects.
package kubernetes

import (
	"bytes"
	"fmt"

	"sigs.k8s.io/yaml"
)

// Object is a Kubernetes object, or a part of one.
type Object = map[string]any

// List is a list of parts.
type List = []any

// YAML returns the objects as the documents of one file, after a comment. Keys are
// sorted, so equal objects give equal bytes.
func YAML(comment string, objects ...Object) ([]byte, error) {
	out := bytes.NewBufferString(comment)
	for i, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("kubernetes: write as YAML: %w", err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}

// Named is an object of a kind in a namespace, without more.
func Named(apiVersion, kind, namespace, name string) Object {
	metadata := Object{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}

// With returns the object with a member more.
func With(object Object, member string, value any) Object {
	object[member] = value
	return object
}
