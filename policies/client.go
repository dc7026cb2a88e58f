// Package policies knows the clients: their documents, the index that finds
// the one a certificate belongs to, and the judgement of a certificate by that
// client's own trust store.
//
// A [Source] reads documents from somewhere and publishes immutable
// [Snapshot] values. [Snapshot.Resolve] finds the client, [Client.Judge]
// decides. Neither depends on how many clients there are.
package policies

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Status is the status of a ClientApplication. The zero value does not
// authenticate.
type Status uint8

// The statuses. Only StatusActive may authenticate.
const (
	StatusError Status = iota
	StatusOff
	StatusActive
)

// Statuses lists them all.
func Statuses() []Status { return []Status{StatusActive, StatusOff, StatusError} }

// String returns the code of the FHIR value set: active, off or error.
func (s Status) String() string {
	switch s {
	case StatusActive:
		return "active"
	case StatusOff:
		return "off"
	}
	return "error"
}

// AuthMethod is the client's token_endpoint_auth_method (RFC 8705 2.1.1, 2.2.1).
type AuthMethod uint8

// The methods. AnyTLSMethod, for documents that name none as Medplum's do not,
// accepts by pin and by chain.
const (
	AnyTLSMethod AuthMethod = iota
	SelfSignedTLSClientAuth
	TLSClientAuth
)

// String returns the registered name, "" for AnyTLSMethod.
func (m AuthMethod) String() string {
	switch m {
	case SelfSignedTLSClientAuth:
		return "self_signed_tls_client_auth"
	case TLSClientAuth:
		return "tls_client_auth"
	}
	return ""
}

// Thumbprint is the SHA-256 of a DER certificate.
type Thumbprint = [sha256.Size]byte

// Client is the immutable record of one client. It is small on purpose: a
// folder may hold a million, and nearly all of them are one id and one pin, so
// what the others need hangs on a pointer. Two records of one client are the
// same exactly if their pointers are.
type Client struct {
	id     string
	pin    Thumbprint // the first one, if there is one
	pinned bool
	status Status
	method AuthMethod
	// otherGrants is set where grantType lists grants, and not client_credentials.
	otherGrants bool
	pinEnd      uint32 // when the pinned certificate ends, see endOf
	more        *clientExtra
}

// clientExtra is what most clients do not have.
type clientExtra struct {
	pins         []Thumbprint // after the first
	pinEnds      []uint32     // of those
	lifetime     uint32       // of the token endpoint's tokens, in seconds; 0 is the default
	anchors      []*truststore.Anchor
	binding      truststore.Binding
	alsoBound    []truststore.Binding // of a remnant, see there
	remnant      bool
	defaultScope []string
	scope        []string
	audience     []string
	introspects  []string
	policies     []string
	profile      truststore.Profile
	mode         Mode
	revocation   *Revocation // nil asks nothing
}

var noExtra clientExtra

func (c *Client) extra() *clientExtra {
	if c.more == nil {
		return &noExtra
	}
	return c.more
}

// ID returns the client_id.
func (c *Client) ID() string { return c.id }

// Status returns the client's status.
func (c *Client) Status() Status { return c.status }

// AuthMethod returns how the client may authenticate.
func (c *Client) AuthMethod() AuthMethod { return c.method }

// Binding returns the subject that certificates accepted by chain must have.
func (c *Client) Binding() truststore.Binding { return c.extra().binding }

// CertificatePolicies returns the certificate policies, one of which has to lead
// down the path of a certificate accepted by chain; none asks for none.
func (c *Client) CertificatePolicies() []string { return slices.Clone(c.extra().policies) }

// CertificateProfile returns the form that certificates accepted by chain are to have.
func (c *Client) CertificateProfile() truststore.Profile { return c.extra().profile }

// IsRemnant reports whether the record is one of [Remnant].
func (c *Client) IsRemnant() bool { return c.extra().remnant }

// Anchors returns the CAs that may issue the client's certificates.
func (c *Client) Anchors() []*truststore.Anchor { return slices.Clone(c.extra().anchors) }

// Pins returns the thumbprints of the certificates that are accepted as such.
func (c *Client) Pins() []Thumbprint {
	if !c.pinned {
		return nil
	}
	return append([]Thumbprint{c.pin}, c.extra().pins...)
}

// HasPin reports whether exactly this certificate is pinned.
func (c *Client) HasPin(thumbprint Thumbprint) bool {
	return c.pinned && (c.pin == thumbprint || slices.Contains(c.extra().pins, thumbprint))
}

// DefaultScope returns the scopes granted when none is asked for.
func (c *Client) DefaultScope() []string { return slices.Clone(c.extra().defaultScope) }

// Scope returns the scopes that may be granted at most.
func (c *Client) Scope() []string { return slices.Clone(c.extra().scope) }

// Audience returns the resources that the client may have tokens for; none
// means the configured default only.
func (c *Client) Audience() []string { return slices.Clone(c.extra().audience) }

// AccessTokenLifetime returns how long a token of the token endpoint lives.
func (c *Client) AccessTokenLifetime() time.Duration {
	if own := c.extra().lifetime; own != 0 {
		return time.Duration(own) * time.Second
	}
	return DefaultAccessTokenLifetime
}

// NarrowScope returns the scopes of a token for a route: the route's, as far as
// they are the client's; where the route names none, the client's default. A
// client without scopes has none.
func (c *Client) NarrowScope(route []string) []string {
	extra := c.extra()
	if len(route) == 0 {
		return extra.defaultScope
	}
	var narrowed []string
	for _, scope := range route {
		if c.MayHaveScope(scope) {
			narrowed = append(narrowed, scope)
		}
	}
	return narrowed
}

// MayHaveScope reports whether the scope is one of the client's.
func (c *Client) MayHaveScope(scope string) bool {
	return slices.Contains(c.extra().scope, scope) || slices.Contains(c.extra().defaultScope, scope)
}

// MayUseCredentials reports whether the client may use the client_credentials
// grant: its grantType lists it, or lists nothing.
func (c *Client) MayUseCredentials() bool { return !c.otherGrants }

// MayIntrospect reports whether the client may ask about other clients' tokens for
// the audience (RFC 7662 section 4): as the resource that receives them.
func (c *Client) MayIntrospect(audience string) bool {
	return slices.Contains(c.extra().introspects, audience)
}

// MayHave reports whether the client may have tokens for the audience: one of
// its own, or, where it lists none, the configured default.
func (c *Client) MayHave(audience, byDefault string) bool {
	if own := c.extra().audience; len(own) > 0 {
		return slices.Contains(own, audience)
	}
	return audience == byDefault
}
