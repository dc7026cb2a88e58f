package kubernetes

import (
	"maps"
	"path"
)

// ConfigFile is the name of certbearer's configuration, in a ConfigMap and in the
// container.
const ConfigFile = "certbearer.yaml"

// user is nobody that an image or a node has.
const user = 65532

// Pod says how certbearer runs, as far as that is the same behind every proxy: as
// nobody, with a file system that it does not write to, and no word with the cluster.
type Pod struct {
	// Name is what its container and its service account are called. Image is the
	// container's.
	Name, Image string
	// ConfigDir is the folder of certbearer.yaml in the container.
	ConfigDir string
	// Group is whose the volumes are; 0 is certbearer's own.
	Group int
	// Memory is the most that it may take, such as "256Mi".
	Memory string
	// Ports are the container's, Ready and Alive its probes.
	Ports        List
	Ready, Alive Object

	Volumes []Volume
}

// Volume is a folder of the container.
type Volume struct {
	Name, Dir string
	// Source is the member of the pod's volume that says where it comes from.
	Source Object
	// Mount are members of the container's mount besides, such as readOnly.
	Mount Object
}

// Spec returns the spec of the pod.
func (p Pod) Spec() Object {
	group := p.Group
	if group == 0 {
		group = user
	}
	volumes := List{}
	for _, v := range p.Volumes {
		volumes = append(volumes, With(v.Source, "name", v.Name))
	}
	return Object{
		"serviceAccountName":           p.Name,
		"automountServiceAccountToken": false,
		"securityContext": Object{
			"runAsNonRoot": true, "runAsUser": user, "runAsGroup": user, "fsGroup": group,
			// Always would open the keys' files to the group at each start, and
			// certbearer refuses such keys.
			"fsGroupChangePolicy": "OnRootMismatch",
			"seccompProfile":      Object{"type": "RuntimeDefault"},
		},
		"containers": List{p.container()},
		"volumes":    volumes,
	}
}

func (p Pod) container() Object {
	mounts := List{}
	for _, v := range p.Volumes {
		mount := Object{"name": v.Name, "mountPath": v.Dir}
		maps.Copy(mount, v.Mount)
		mounts = append(mounts, mount)
	}
	return Object{
		"name":           p.Name,
		"image":          p.Image,
		"args":           List{"serve", "--config", path.Join(p.ConfigDir, ConfigFile)},
		"ports":          p.Ports,
		"readinessProbe": p.Ready,
		"livenessProbe":  p.Alive,
		"resources":      Object{"requests": Object{"cpu": "100m", "memory": "64Mi"}, "limits": Object{"memory": p.Memory}},
		"securityContext": Object{
			"allowPrivilegeEscalation": false,
			"readOnlyRootFilesystem":   true,
			"capabilities":             Object{"drop": List{"ALL"}},
		},
		"volumeMounts": mounts,
	}
}

// ReadOnly is the mount of a folder that certbearer only reads.
func ReadOnly() Object { return Object{"readOnly": true} }

// FromConfigMap is the source of a volume.
func FromConfigMap(name string) Object { return Object{"configMap": Object{"name": name}} }

// FromStorage is the source of a volume that outlives the pod.
func FromStorage(claim string) Object {
	return Object{"persistentVolumeClaim": Object{"claimName": claim}}
}

// Storage returns the spec of the PersistentVolumeClaim for keys and revocations.
func Storage() Object {
	return Object{
		"accessModes": List{"ReadWriteOnce"},
		"resources":   Object{"requests": Object{"storage": "64Mi"}},
	}
}

// Deployment returns the spec of one whose pods are found by the labels, and have
// that metadata. It has one replica, which ends before the next one starts: they
// would both write to the storage. More than one needs storage that nodes share.
func Deployment(labels, metadata Object, p Pod) Object {
	return Object{
		"replicas": 1,
		"strategy": Object{"type": "Recreate"},
		"selector": Object{"matchLabels": labels},
		"template": Object{"metadata": metadata, "spec": p.Spec()},
	}
}

// Labels are those by which certbearer's pods are found.
func Labels(name string) Object { return Object{"app.kubernetes.io/name": name} }
