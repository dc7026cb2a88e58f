package peercert

import "fmt"

const (
	peerField  = "source.certificate"
	xfccHeader = "x-forwarded-client-cert"
)

// field is a place in the evidence, put into words only where something is
// wrong with it. All count from 1 on the left; 0 leaves the word out. The zero
// field is source.certificate.
type field struct {
	// in is where certificates come from that stand in no header of others.
	in                         string
	element, pair, certificate int
}

// String returns such as "x-forwarded-client-cert element 2 pair 3 certificate 1".
func (f field) String() string {
	text := f.in
	switch {
	case text != "":
	case f.element == 0:
		return peerField
	default:
		text = fmt.Sprintf("%s element %d", xfccHeader, f.element)
	}
	if f.pair != 0 {
		text += fmt.Sprintf(" pair %d", f.pair)
	}
	if f.certificate != 0 {
		text += fmt.Sprintf(" certificate %d", f.certificate)
	}
	return text
}
