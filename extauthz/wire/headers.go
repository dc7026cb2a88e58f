package wire

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// headers looks into the form that Envoy sent: a map of joined values, or, with
// encode_raw_headers, the list of single ones. Names are lower-case in both.
func headers(joined map[string]string, single []*corev3.HeaderValue) func(name string) []string {
	return func(name string) []string {
		var values []string
		if value, found := joined[name]; found {
			values = append(values, value)
		}
		for _, header := range single {
			if header.GetKey() == name {
				values = append(values, headerText(header))
			}
		}
		return values
	}
}

func headerText(header *corev3.HeaderValue) string {
	if raw := header.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return header.GetValue()
}
