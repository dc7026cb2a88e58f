package policies

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/revocation"
)

// Revocation is what a client's document asks of revocation. The zero value asks
// nothing.
type Revocation struct {
	Mode revocation.Mode
	// Locations are URLs of CRLs that the client's own CAs sign.
	Locations []string
	// Hosts are those whose locations in presented certificates are believed, in
	// lower case.
	Hosts []string
}

// Revocation returns what the client's document asks of revocation.
func (c *Client) Revocation() Revocation {
	asked := c.extra().revocation
	if asked == nil {
		return Revocation{}
	}
	return Revocation{Mode: asked.Mode, Locations: slices.Clone(asked.Locations), Hosts: slices.Clone(asked.Hosts)}
}

// NamedLocations are those of the client's document, whose lists any of its CAs may
// have signed; none without a CA.
func (c *Client) NamedLocations() []revocation.Location {
	asked, anchors := c.extra().revocation, c.extra().anchors
	if asked == nil || len(anchors) == 0 {
		return nil
	}
	var issuers []*x509.Certificate
	for _, anchor := range anchors {
		issuers = append(issuers, anchor.Certificate)
	}
	var all []revocation.Location
	for _, url := range asked.Locations {
		all = append(all, revocation.Location{URL: url, Issuers: issuers})
	}
	return all
}

// revocationPolicy is Revocation without its lists.
func (c *Client) revocationPolicy() revocation.Policy {
	if asked := c.extra().revocation; asked != nil {
		return revocation.Policy{Mode: asked.Mode}
	}
	return revocation.Policy{}
}

// Revoked reports whether view knows a certificate with one of the names, which are
// those of an [Accepted], to be revoked, if the client asks for that. What is no name
// says that it cannot be told, and counts as revoked.
func (c *Client) Revoked(view *revocation.View, names []string) bool {
	if c.revocationPolicy().Mode == revocation.Off {
		return false
	}
	return slices.ContainsFunc(names, func(text string) bool {
		name, err := revocation.ParseNamed(text)
		return err != nil || view.Revokes(name)
	})
}

// readRevocation reads the object and leaves nil for one that asks nothing: most
// clients have none, and a record is to be small.
func (r *reader) readRevocation(m member) *Fault {
	members, fault := membersOf(m.value, suchRevocationOf(m.value))
	if fault != nil {
		return fault
	}
	var asked Revocation
	var moded bool
	for _, inner := range members {
		var fault *Fault
		switch inner.name {
		case "mode":
			moded = true
			fault = readRevocationMode(inner.value, &asked.Mode)
		case "locations":
			fault = readLocations(inner.value, &asked.Locations)
		case "hosts":
			fault = readHosts(inner.value, &asked.Hosts)
		default:
			fault = &Fault{Problem: "is not known: one of mode, locations, hosts" + configured(inner.name)}
		}
		if fault != nil {
			fault.Field = inner.name
			return fault
		}
	}
	if !moded {
		return &Fault{Field: "mode", Problem: "is missing: off, soft or hard"}
	}
	if len(asked.Locations)+len(asked.Hosts) > 0 || asked.Mode != revocation.Off {
		r.revocation, r.revocationLine = &asked, m.line
	}
	return nil
}

// suchRevocation is an example of the field.
const suchRevocation = `{"mode": "hard"}`

// suchRevocationOf is the object that somebody meant who wrote the mode in its place.
func suchRevocationOf(value json.RawMessage) string {
	var word string
	if readText(value, &word) == nil {
		if mode, err := revocation.ParseMode(strings.ToLower(word)); err == nil {
			return `{"mode": "` + mode.String() + `"}`
		}
	}
	return suchRevocation
}

// configured is added to the problem of a member that is one of the server's settings.
func configured(member string) string {
	switch member {
	case "directory", "allow", "refresh", "quota", "wait":
		return "; revocation." + member + " stands in certbearer.yaml, for all clients"
	}
	return ""
}

func readRevocationMode(value json.RawMessage, into *revocation.Mode) *Fault {
	var word string
	if fault := readText(value, &word); fault != nil {
		return fault
	}
	mode, err := revocation.ParseMode(word)
	if err != nil { // quotes the word, which may be anything
		return &Fault{Problem: "is none of off, soft, hard"}
	}
	*into = mode
	return nil
}

func readLocations(value json.RawMessage, into *[]string) *Fault {
	if fault := readTexts(value, into); fault != nil {
		return fault
	}
	if len(*into) > revocation.MaxLocations {
		return &Fault{Problem: fmt.Sprintf("has more than %d values", revocation.MaxLocations)}
	}
	for i, location := range *into {
		if err := revocation.CheckURL(location); err != nil {
			return &Fault{Problem: fmt.Sprintf("value %d: %s", i+1, err)}
		}
	}
	return nil
}

func readHosts(value json.RawMessage, into *[]string) *Fault {
	if fault := readTexts(value, into); fault != nil {
		return fault
	}
	if len(*into) > revocation.MaxLocations {
		return &Fault{Problem: fmt.Sprintf("has more than %d values", revocation.MaxLocations)}
	}
	for i, host := range *into {
		if !isHost(host) {
			return &Fault{Problem: fmt.Sprintf("value %d is no host name, such as crl.example, without scheme, port and wildcard", i+1)}
		}
		(*into)[i] = strings.ToLower(host)
	}
	return nil
}

// isHost takes host names, and IPv4 addresses, which have their form.
func isHost(text string) bool {
	if len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
			if !letter && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// warnOfNobody warns of a client that asks about certificates which nobody can take
// back. It is no fault: with one, the last good version would keep in force the CA
// that was just taken out.
func (r *reader) warnOfNobody() {
	c := r.doc.Client
	if c.revocationPolicy().Mode != revocation.Off && len(c.extra().anchors) == 0 {
		r.doc.Warnings = append(r.doc.Warnings, Fault{Line: r.revocationLine, Field: "revocation",
			Problem: "has no effect: certificateTrustStore has no CA that could take a certificate back"})
	}
}
