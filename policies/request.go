package policies

import "time"

// Request is what a decision may look at besides the certificate. It is a plain
// value, whoever made it: Envoy's check, or one of our endpoints.
type Request struct {
	Method   string
	Scheme   string
	Host     string // with the port, if the caller gave one
	Path     string // without the query, as the proxy forwards it
	RawQuery string
	// Header returns every value of a header, by its lower-case name.
	Header func(name string) []string
	// Source is the address of the caller as the proxy saw it, "" if unknown.
	Source string
	// Route is the name of the route that was chosen, "" before that.
	Route string
	At    time.Time
}
