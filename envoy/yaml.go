package envoy

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

const yamlHeader = `# Written by certbearer for Envoy 1.39 or newer. Changes by hand are lost when
# it is rendered again.
`

// YAML returns m in Envoy's YAML with a comment at its head. Keys are sorted
// and named as in Envoy's documentation, so equal messages give equal bytes.
func YAML(m proto.Message) ([]byte, error) {
	asJSON, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("envoy: write as JSON: %w", err)
	}
	asYAML, err := yaml.JSONToYAML(asJSON)
	if err != nil {
		return nil, fmt.Errorf("envoy: write as YAML: %w", err)
	}
	return append([]byte(yamlHeader), asYAML...), nil
}

// pack wraps a message of a type that this package is built with. It fails only
// for text that is not UTF-8, which Validate has refused before.
func pack(m proto.Message) *anypb.Any {
	packed, err := anypb.New(m)
	if err != nil {
		panic(fmt.Sprintf("envoy: pack %T: %v", m, err))
	}
	return packed
}
