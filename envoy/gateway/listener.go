package gateway

import (
	"strconv"

	"github.com/certbearer/certbearer/envoy/kubernetes"
)

// Bounds of the listener, those of the configuration that certbearer renders for
// Envoy. A request has no total timeout: gRPC streams and WebSockets are requests
// too.
const (
	handshakeTimeout = "10s"
	headersTimeout   = "10s"
	idleConnection   = "15m"
	idleStream       = "5m"
	// maxLife ends a stream that was let in before its client was turned off.
	maxLife = "1h"

	bufferLimit = "32Ki"
	maxStreams  = 100
)

// Listener returns the GatewayClass, the Gateway and what it is set to.
func Listener(p Params) []Object {
	class := Object{"controllerName": envoyAPI + "/gatewayclass-controller"}
	return []Object{
		kubernetes.With(kubernetes.Named(standard, "GatewayClass", "", name), "spec", class),
		p.object(standard, "Gateway", name, gatewaySpec(p)),
		p.object(extended, "ClientTrafficPolicy", name, clientTraffic(p)),
		p.object(standard, "BackendTLSPolicy", name, backendTLS(p)),
	}
}

// gatewaySpec lets routes of no other namespace in: whoever may attach one decides
// which requests are asked about. By the client certificate certbearer knows whom to
// believe.
func gatewaySpec(p Params) Object {
	return Object{
		"gatewayClassName": name,
		"tls":              Object{"backend": Object{"clientCertificateRef": Object{"name": ClientSecret}}},
		"listeners": List{Object{
			"name": section, "port": p.Port, "protocol": "HTTPS",
			"tls":           Object{"mode": "Terminate", "certificateRefs": List{Object{"name": ServerSecret}}},
			"allowedRoutes": Object{"namespaces": Object{"from": "Same"}},
		}},
	}
}

// section is the name of the listener.
const section = "https"

func backendTLS(p Params) Object {
	return Object{
		"targetRefs": List{Object{"group": "", "kind": "Service", "name": p.Certbearer}},
		"validation": Object{
			"caCertificateRefs": List{Object{"group": "", "kind": "ConfigMap", "name": CAConfigMap}},
			"hostname":          p.ServerName,
		},
	}
}

// clientTraffic asks for a certificate and has no CA to judge it by. Only the
// certificate and its chain are asked for: Envoy writes the names in it unescaped.
func clientTraffic(p Params) Object {
	return Object{
		"targetRefs": List{targetGateway()},
		"tls": Object{
			"clientValidation":    Object{"mode": "Request"},
			"minVersion":          "1.2",
			"maxVersion":          "1.3",
			"ciphers":             p.Ciphers,
			"signatureAlgorithms": p.SignatureAlgorithms,
		},
		"headers": headers(p),
		"path":    Object{"escapedSlashesAction": "RejectRequest", "disableMergeSlashes": false},
		"timeout": Object{
			"tcp":  Object{"tlsHandshakeTimeout": handshakeTimeout},
			"http": Object{"requestHeadersReceivedTimeout": headersTimeout, "idleTimeout": idleConnection, "streamIdleTimeout": idleStream},
		},
		"connection": Object{
			"bufferLimit":     bufferLimit,
			"connectionLimit": Object{"maxConnectionDuration": maxLife, "maxStreamDuration": maxLife},
		},
		"http2": Object{"maxConcurrentStreams": maxStreams, "initialStreamWindowSize": "64Ki", "initialConnectionWindowSize": "1Mi"},
	}
}

// headers takes off an x-request-id too: to a caller inside the cluster Envoy
// would leave its own, and records are found by it.
func headers(p Params) Object {
	prefixes := List{}
	for _, prefix := range p.RemovePrefixes {
		prefixes = append(prefixes, Object{"type": "Prefix", "value": prefix})
	}
	return Object{
		"xForwardedClientCert":  Object{"mode": "SanitizeSet", "certDetailsToAdd": List{"Cert", "Chain"}},
		"withUnderscoresAction": "RejectRequest",
		"requestID":             "Generate",
		"host":                  Object{"stripTrailingHostDot": true},
		"earlyRequestHeaders":   Object{"remove": append([]string{"x-request-id"}, p.Remove...), "removeOnMatch": prefixes},
		"lateResponseHeaders":   Object{"set": List{Object{"name": "x-request-id", "value": "%REQ(X-REQUEST-ID)%"}}},
	}
}

func targetGateway() Object { return Object{"group": gatewayAPI, "kind": "Gateway", "name": name} }

// targetRule is a rule of a route, or the whole route.
func targetRule(route, rule string) Object {
	target := Object{"group": gatewayAPI, "kind": "HTTPRoute", "name": route}
	if rule != "" {
		target["sectionName"] = rule
	}
	return target
}

func (p Params) keysURL() string {
	return "https://" + p.Certbearer + "." + p.Namespace + ".svc:" + strconv.Itoa(int(p.HTTPPort)) + jwksPath
}
