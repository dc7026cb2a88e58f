package envoy

import "slices"

// Version is a minor version of Envoy, such as "1.39".
type Version string

// The versions that can be rendered for.
const (
	V137 Version = "1.37"
	V138 Version = "1.38"
	V139 Version = "1.39"
	V140 Version = "1.40"
)

// Newest is the version that is rendered for where none is asked for.
const Newest = V140

// Versions returns the versions that can be rendered for, oldest first.
func Versions() []Version { return []Version{V137, V138, V139, V140} }

// Replacement is a field of a newer Envoy that the configuration does without.
type Replacement struct {
	// Param is the parameter that would have been rendered with it, and Field the
	// field in Envoy's own words.
	Param, Field string
	// Since is the first version that has the field.
	Since Version
	// Instead says what is rendered in its place, Lost what that changes for
	// clients, empty for nothing.
	Instead, Lost string
}

// suppressesCAList is the first version with suppress_client_ca_list.
const suppressesCAList = V139

// Replacements returns what the configuration of p does without, because
// p.Version is too old for it. It is empty for [Newest].
func Replacements(p Params) []Replacement {
	if p.has(suppressesCAList) || p.Front != nil {
		return nil
	}
	r := Replacement{
		Param: "Version", Field: "suppress_client_ca_list", Since: suppressesCAList,
		Instead: "the listener has no trusted_ca, so that it names no CA to clients all the same",
	}
	if p.ClientCertificate == Required {
		r.Param = "ClientCertificate"
		r.Lost = "a connection without a certificate is not ended by a TLS alert: each of its requests is refused instead, on every path"
	}
	return []Replacement{r}
}

// has reports whether p.Version is since or newer. A version that is none of ours
// is refused before, so it has nothing.
func (p Params) has(since Version) bool {
	if p.Version == "" {
		return true
	}
	all := Versions()
	return slices.Index(all, p.Version) >= slices.Index(all, since)
}

// withoutAlert: the listener lets a connection without a certificate in though it
// is required, because Envoy enforces that with a trusted CA only.
func (p Params) withoutAlert() bool {
	return p.ClientCertificate == Required && p.Front == nil && !p.has(suppressesCAList)
}
