package envoy

import (
	"path/filepath"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// Names of the secrets.
const (
	serverSecret   = "server"
	extAuthzSecret = "certbearer-grpc-client"
	httpSecret     = "certbearer-http-client"
)

// SecretFile is an SDS document and the path at which Envoy looks for it.
type SecretFile struct {
	Path     string
	Document *discoveryv3.DiscoveryResponse
}

// Secrets returns the SDS documents, the one for p.SDSPath first and, with mTLS
// towards certbearer, others beside it: Envoy takes no more than one secret from
// a file. They hold paths, never keys. By way of SDS Envoy takes up a renewed
// certificate without a restart: each is watched through the directory of its
// certificate file, so rename the certificate last. The error joins
// [ParamError]s.
func Secrets(p Params) ([]SecretFile, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	files := []SecretFile{secretFile(p, serverSecret, p.ServerCertificate, p.ServerKey)}
	if t := p.ExtAuthz.TLS; t != nil {
		files = append(files, secretFile(p, extAuthzSecret, t.Certificate, t.Key))
	}
	if t := p.HTTP.TLS; t != nil {
		files = append(files, secretFile(p, httpSecret, t.Certificate, t.Key))
	}
	return files, nil
}

func secretFile(p Params, name, certificate, key string) SecretFile {
	secret := &tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: file(certificate),
			PrivateKey:       file(key),
			WatchedDirectory: directoryOf(certificate),
		}},
	}
	return SecretFile{
		Path:     secretPath(p, name),
		Document: &discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{pack(secret)}},
	}
}

// secretPath puts the name of every secret but the server's before the ending
// of SDSPath.
func secretPath(p Params, name string) string {
	if name == serverSecret {
		return p.SDSPath
	}
	ending := filepath.Ext(p.SDSPath)
	return strings.TrimSuffix(p.SDSPath, ending) + "-" + name + ending
}
