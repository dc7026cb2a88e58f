package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// MaxSize is the most bytes a configuration file may have.
const MaxSize = 1 << 20

// Load reads the file at path. Relative paths in it are resolved against its
// folder, so the Config does not depend on the working directory. The error is
// [Errors] if the file could be read, and wraps the system's error if not.
func Load(path string) (*Config, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data, filepath.Dir(absolute))
}

// readBounded returns at most one byte more than MaxSize: enough for Parse to
// see that the file is too large.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxSize+1))
}

// Parse reads a configuration from data, at most [MaxSize] bytes of UTF-8. name
// is what errors call the file; baseDir, which should be absolute, is what
// relative paths are resolved against. The error is [Errors].
func Parse(name string, data []byte, baseDir string) (*Config, error) {
	doc := &document{file: name, baseDir: baseDir}
	root := doc.open(data)
	if root == nil {
		return nil, doc.errors.asError()
	}
	config := readConfig(root)
	if err := doc.errors.asError(); err != nil {
		return nil, err
	}
	return config, nil
}

// CheckEnvoy reports as [Errors] what `certbearer render envoy` needs and the
// configuration does not have. file is what the errors call the configuration.
func (c *Config) CheckEnvoy(file string) error {
	var missing Errors
	need := func(field string, present bool) {
		if !present {
			missing = append(missing, &Error{File: file, Field: field, Problem: "required to render Envoy's configuration"})
		}
	}
	if c.Certificate.From == FromHeader {
		missing = append(missing, &Error{File: file, Field: "certificate.from", Problem: "header: an Envoy behind another proxy is not rendered; docs/alb.md has what to write into one of yours"})
	}
	need("envoy.upstream", c.Envoy.Upstream != Upstream{})
	need("envoy.certificate", c.Envoy.Certificate != "")
	need("envoy.key", c.Envoy.Key != "")
	reach := func(field, address, listener, listens string) {
		if address == "" && isUnspecified(listens) {
			missing = append(missing, &Error{File: file, Field: field, Problem: "required, because " + listener + " is " + listens + ": write where Envoy reaches it"})
		}
	}
	reach("envoy.grpcAddress", c.Envoy.GRPCAddress, "listen.grpc", c.Listen.GRPC)
	reach("envoy.httpAddress", c.Envoy.HTTPAddress, "listen.http", c.Listen.HTTP)
	need("listen.http", !c.Envoy.JWTAuthn || c.Listen.HTTP != "")
	need("envoy.front.trustedCA", c.Certificate.Hops <= 1 || c.Envoy.Front.TrustedCA != "")
	need("envoy.front.sans", c.Certificate.Hops <= 1 || len(c.Envoy.Front.SANs) > 0)
	need("envoy.legacyUpstreamCA", c.Envoy.LegacyUpstream.Scheme != "https" || c.Envoy.LegacyUpstreamCA != "")
	need("envoy.upstreamCA", c.Envoy.Upstream.Scheme != "https" || c.Envoy.UpstreamCA != "")
	if c.Callers.Proof == ProofMTLS {
		need("envoy.caller.certificate", c.Envoy.Caller.Certificate != "")
		need("envoy.caller.key", c.Envoy.Caller.Key != "")
		need("envoy.caller.trustedCA", c.Envoy.Caller.TrustedCA != "")
		need("envoy.caller.serverName", c.Envoy.Caller.ServerName != "")
	}
	return missing.asError()
}
