package istio

import "strconv"

// access says who may reach certbearer: whoever can ask about a certificate gets
// the token of its client.
func access(p Params) []manifest {
	var gatewayPorts []string
	for _, port := range ports(p) {
		gatewayPorts = append(gatewayPorts, strconv.Itoa(port.number))
	}
	return []manifest{
		{"Only over the mesh's mTLS. istiod fetches the JWKS itself and has no part in it,\nso the port of the JWKS takes plain connections too.", made("security.istio.io/v1", "PeerAuthentication", p.Namespace, object{
			"selector":      object{"matchLabels": ours()},
			"mtls":          object{"mode": "STRICT"},
			"portLevelMtls": object{strconv.Itoa(httpPort): object{"mode": "PERMISSIVE"}},
		})},
		{"Only the gateway may ask. The JWKS is for everybody.", made("security.istio.io/v1", "AuthorizationPolicy", p.Namespace, object{
			"selector": object{"matchLabels": ours()},
			"action":   "ALLOW",
			"rules": []object{
				{
					"from": []object{{"source": object{"principals": []string{p.gatewayPrincipal()}}}},
					"to":   []object{{"operation": object{"ports": gatewayPorts}}},
				},
				{"to": []object{{"operation": object{
					"ports":   []string{strconv.Itoa(httpPort)},
					"methods": []string{"GET", "HEAD"},
					"paths":   []string{jwksPath},
				}}}},
			},
		})},
	}
}
