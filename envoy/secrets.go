package envoy

import (
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// Names of the secrets in the SDS document.
const (
	serverSecret   = "server"
	extAuthzSecret = "certbearer-grpc-client"
	httpSecret     = "certbearer-http-client"
)

// Secrets returns the document that is to stand at p.SDSPath. It holds paths,
// never keys. By way of SDS Envoy takes up a renewed certificate without a
// restart: each is watched through the directory of its certificate file, so
// rename the certificate last. The error joins [ParamError]s.
func Secrets(p Params) (*discoveryv3.DiscoveryResponse, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	secrets := []*tlsv3.Secret{secret(serverSecret, p.ServerCertificate, p.ServerKey)}
	if t := p.ExtAuthz.TLS; t != nil {
		secrets = append(secrets, secret(extAuthzSecret, t.Certificate, t.Key))
	}
	if t := p.HTTP.TLS; t != nil {
		secrets = append(secrets, secret(httpSecret, t.Certificate, t.Key))
	}
	response := &discoveryv3.DiscoveryResponse{}
	for _, s := range secrets {
		response.Resources = append(response.Resources, pack(s))
	}
	return response, nil
}

func secret(name, certificate, key string) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: file(certificate),
			PrivateKey:       file(key),
			WatchedDirectory: directoryOf(certificate),
		}},
	}
}
