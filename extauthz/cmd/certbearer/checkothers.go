package main

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/truststore"
)

// maxNamed bounds the other clients that a remark names.
const maxNamed = 5

func (x *examiner) otherPinners(client *policies.Client, thumbprint policies.Thumbprint) string {
	var ids []string
	for _, other := range x.snapshot.PinnedBy(thumbprint) {
		ids = append(ids, other.ID())
	}
	slices.Sort(ids)
	return x.others(client, ids)
}

// others lists the ids but for the client's own, "" if there are none.
func (x *examiner) others(client *policies.Client, ids []string) string {
	var named []string
	for _, id := range ids {
		if id == client.ID() {
			continue
		}
		if len(named) == maxNamed {
			named = append(named, "others")
			break
		}
		named = append(named, id)
	}
	return strings.Join(named, ", ")
}

// twins are the CAs of each name and subjectKeyIdentifier, each with a client that
// has it. Nothing but its signatures tells the one from the other.
type twins map[[32]byte][]twin

type twin struct {
	ca     [32]byte // truststore.Anchor.ID
	client string
}

func twinKey(anchor *truststore.Anchor) [32]byte {
	name := truststore.NameKey(anchor.Certificate.RawSubject)
	return sha256.Sum256(append(name[:], anchor.Certificate.SubjectKeyId...))
}

func (t twins) add(client *policies.Client, anchor *truststore.Anchor) {
	key := twinKey(anchor)
	known := slices.ContainsFunc(t[key], func(other twin) bool { return other.ca == anchor.ID })
	if !known && len(t[key]) < maxNamed+1 {
		t[key] = append(t[key], twin{anchor.ID, client.ID()})
	}
}

// of names the clients that have a twin of the anchor, "" if there is none.
func (t twins) of(client *policies.Client, anchor *truststore.Anchor) string {
	var named []string
	for _, other := range t[twinKey(anchor)] {
		switch {
		case other.ca == anchor.ID:
		case other.client == client.ID():
			named = append(named, "this client itself has")
		default:
			named = append(named, "client "+other.client+" has")
		}
	}
	return strings.Join(named, ", ")
}
