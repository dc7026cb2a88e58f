package istio

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// ParamError is a parameter that cannot be rendered.
type ParamError struct {
	// Param is the field of [Params], dotted.
	Param   string
	Problem string
}

func (e *ParamError) Error() string { return "istio: " + e.Param + ": " + e.Problem }

// validate joins [ParamError]s. What is text of a manifest is checked by those
// who read it; here is what would render into something else than was meant.
func (p Params) validate() error {
	var faults []error
	fail := func(param, problem string) { faults = append(faults, &ParamError{param, problem}) }
	for _, field := range []struct{ param, value string }{
		{"Namespace", p.Namespace}, {"Image", p.Image}, {"TrustDomain", p.TrustDomain}, {"ClusterDomain", p.ClusterDomain},
		{"Gateway.Namespace", p.Gateway.Namespace}, {"Gateway.ServiceAccount", p.Gateway.ServiceAccount},
		{"CredentialName", p.CredentialName}, {"Upstream", p.Upstream.Host}, {"Issuer", p.Issuer},
	} {
		if field.value == "" {
			fail(field.param, "required")
		}
	}
	if len(p.Gateway.Selector) == 0 {
		fail("Gateway.Selector", "required: without one the policies would hold for every pod of the namespace")
	}
	if len(p.Hosts) == 0 {
		fail("Hosts", "required")
	}
	if p.Timeout <= 0 {
		fail("Timeout", "must be more than nothing: the mesh's own is 600 s")
	}
	p.validateFolders(fail)
	if ops := fmt.Sprint(p.OpsPort); p.OpsPort == 0 || p.OpsPort == grpcPort || p.OpsPort == httpPort || p.OpsPort == proxyPort {
		fail("OpsPort", "must be a port that the Service has not, got "+ops)
	}
	return errors.Join(faults...)
}

// validateFolders holds the paths to what the pod's volumes can be.
func (p Params) validateFolders(fail func(param, problem string)) {
	for _, socket := range []struct{ param, path string }{{"GRPC", p.GRPC}, {"HTTP", p.HTTP}, {"Proxy", p.Proxy}} {
		switch {
		case socket.path == "" && socket.param == "Proxy":
		case !path.IsAbs(socket.path) || path.Clean(socket.path) != socket.path:
			fail(socket.param, "must be the absolute path of a Unix socket, which only the sidecar reaches")
		case path.Dir(socket.path) != path.Dir(p.GRPC):
			fail(socket.param, "must lie in the same folder as the other sockets: it is shared with the sidecar")
		case strings.Count(socket.path, "/") < 3:
			fail(socket.param, "must lie two folders deep: the upper one is the volume, and certbearer makes the lower one, where nobody else may write")
		}
	}
	for _, folder := range []struct{ param, path string }{{"Clients", p.Clients}, {"State", p.State}} {
		if !path.IsAbs(folder.path) || path.Clean(folder.path) != folder.path || folder.path == "/" {
			fail(folder.param, "must be the absolute path of a folder of its own")
		}
	}
}
