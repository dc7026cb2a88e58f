package revocation

import (
	"crypto/x509"
	"net/url"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxLocationsOfPath bounds the locations of one path. A client has fewer.
const maxLocationsOfPath = 4 * MaxLocations

// uriTag is that of a GeneralName that is a URI.
const uriTag = 0x86

// LocationsOf returns where the certificates of a validated path say that their
// revocations are: the URIs of their cRLDistributionPoints, and the OCSP
// responders of their authorityInfoAccess (RFC 5280 4.2.1.13, 4.2.2.1).
//
// A certificate of the client's own store is believed, for the operator put it
// there. Of what a caller presents only locations count whose host is among hosts,
// the client's revocation.hosts: a caller must not choose whom we connect to.
// Locations that are never fetched from, such as LDAP, are left out, and so are
// those of another CRL issuer.
func LocationsOf(path []*x509.Certificate, stored func(*x509.Certificate) bool, hosts []string) []Location {
	var all []Location
	for i := 0; i+1 < len(path); i++ {
		c, issuer := path[i], path[i+1:i+2]
		trusted := stored(c)
		if !trusted && len(hosts) == 0 {
			continue
		}
		for _, location := range locationsIn(c) {
			if len(all) < maxLocationsOfPath && CheckURL(location.URL) == nil && (trusted || isAmong(hosts, location.URL)) {
				location.Issuers = issuer
				all = append(all, location)
			}
		}
	}
	return all
}

func locationsIn(c *x509.Certificate) []Location {
	var all []Location
	points, err := pointsOf(c)
	if err != nil {
		return nil
	}
	for _, p := range points {
		for _, name := range p.names {
			if uri, ok := uriOf(name); ok {
				all = append(all, Location{URL: uri})
			}
		}
	}
	for _, responder := range c.OCSPServer {
		all = append(all, Location{URL: responder, Certificate: c})
	}
	return all
}

// uriOf returns the content of a GeneralName that is a URI. Its length stands in
// one byte, or in one or two that follow a byte that says so.
func uriOf(name []byte) (string, bool) {
	if len(name) < 2 || name[0] != uriTag {
		return "", false
	}
	header := 2
	if name[1] > 0x80 {
		header += int(name[1] - 0x80)
	}
	if len(name) < header {
		return "", false
	}
	return string(name[header:]), true
}

func isAmong(hosts []string, location string) bool {
	u, err := url.Parse(location)
	return err == nil && slices.ContainsFunc(hosts, func(host string) bool { return strings.EqualFold(host, u.Hostname()) })
}

// StoredLocations returns where a certificate of a client's own store says that its
// revocations are. Its issuer is the one of the client's CAs that signed it, or itself.
func StoredLocations(certificate *x509.Certificate, anchors []*truststore.Anchor) []Location {
	stored := func(*x509.Certificate) bool { return true }
	// Whether it has any is asked first: to find its issuer costs signature checks.
	if len(LocationsOf([]*x509.Certificate{certificate, certificate}, stored, nil)) == 0 {
		return nil
	}
	issuer, err := truststore.NewChain(certificate, nil).StoredIssuer(certificate, anchors)
	if issuer == nil || err != nil {
		return nil
	}
	return LocationsOf([]*x509.Certificate{certificate, issuer}, stored, nil)
}
