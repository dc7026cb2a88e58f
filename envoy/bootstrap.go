package envoy

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// Bootstrap returns the whole configuration. Beside it Envoy needs the document
// of [Secrets] at and beside p.SDSPath. The error joins [ParamError]s.
func Bootstrap(p Params) (*bootstrapv3.Bootstrap, error) {
	listeners, err := Listeners(p)
	if err != nil {
		return nil, err
	}
	clusters, err := Clusters(p)
	if err != nil {
		return nil, err
	}
	admin, err := adminOf(p)
	if err != nil {
		return nil, err
	}
	return &bootstrapv3.Bootstrap{
		// Envoy takes no secret from SDS, by file either, without a name of its own.
		Node:  &corev3.Node{Id: "certbearer", Cluster: "certbearer"},
		Admin: admin,
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Listeners: listeners,
			Clusters:  clusters,
		},
	}, nil
}

func adminOf(p Params) (*bootstrapv3.Admin, error) {
	if p.AdminListen == "" {
		return nil, nil
	}
	at, err := parseListen(p.AdminListen)
	if err != nil {
		return nil, err
	}
	return &bootstrapv3.Admin{Address: at.proto()}, nil
}
