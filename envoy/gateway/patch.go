package gateway

// Patch returns the EnvoyPatchPolicy for what Envoy Gateway has no field for. It
// has no promise behind it: the names and the shape of what it changes are
// Envoy Gateway's, and may be others in its next version. Envoy Gateway takes it
// only where its operator has turned that on.
//
//   - include_peer_certificate: the check has the certificate of the connection in
//     source.certificate, which no header can reach (`certificate: {from: peer}`).
//   - validate_mutations: an answer that would break a header is a 500.
//   - suppress_client_ca_list: should a CA ever be given, clients that obey the list
//     of CAs still send a certificate from another.
func Patch(p Params) Object {
	listener := p.Namespace + "/" + name + "/" + section
	add := func(jsonPath, path string) Object {
		return Object{
			"type": "type.googleapis.com/envoy.config.listener.v3.Listener",
			"name": listener,
			"operation": Object{
				"op": "add", "jsonPath": jsonPath, "path": path, "value": true,
			},
		}
	}
	const checks = `$..http_filters[?(@.typed_config['@type'] == 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz')].typed_config`
	const validation = `$..common_tls_context.validation_context`
	return p.object(extended, "EnvoyPatchPolicy", name, Object{
		"targetRef": targetGateway(),
		"type":      "JSONPatch",
		"jsonPatches": List{
			add(checks, "/include_peer_certificate"),
			add(checks, "/validate_mutations"),
			add(validation, "/suppress_client_ca_list"),
		},
	})
}
