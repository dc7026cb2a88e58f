package kubernetes

// Params says how certbearer runs. Paths are those in its container; ports are
// those it listens on, of which 0 is none.
type Params struct {
	// Namespace is where everything is, and Name what everything is called.
	Namespace string
	Name      string
	// Image is the container's.
	Image string
	// Config is the text of certbearer.yaml.
	Config []byte

	// GRPCPort is that of the checks. HTTPPort serves keys, metadata and the
	// endpoints; OpsPort the probes.
	GRPCPort uint16
	HTTPPort uint16
	OpsPort  uint16

	// ClientsDir is the folder of client documents, from the ConfigMap
	// NAME-clients. StateDir is the folder that outlives the container, in which
	// signing keys and revocations are. TLSDir is the folder of tls.crt, tls.key and
	// ca.crt, from the Secret NAME-tls; empty for none.
	ClientsDir string
	StateDir   string
	TLSDir     string

	// Proxy says which pods may reach certbearer.
	Proxy Proxy
}

// Proxy is the pods of a proxy, by the namespace in which they run and the labels
// that they have.
type Proxy struct {
	Namespace string
	Labels    map[string]string
}

// ConfigDir is where certbearer.yaml stands in the container.
const ConfigDir = "/etc/certbearer/config"
