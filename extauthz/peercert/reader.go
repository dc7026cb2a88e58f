package peercert

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// Source says which part of [Presented] names the proven certificate.
type Source string

// The sources.
const (
	// Peer believes source.certificate, which no request header can reach.
	// x-forwarded-client-cert adds intermediates and nothing else.
	Peer Source = "peer"
	// XFCC believes x-forwarded-client-cert, for proxies that cannot send
	// source.certificate. The proxy must replace what its clients send
	// (SANITIZE_SET), or append to it while XFCCHops says so.
	XFCC Source = "xfcc"
	// Statement believes a statement that certbearer's own ext_authz side has
	// signed for this very request.
	Statement Source = "statement"
	// TLS believes the handshake that we made ourselves.
	TLS Source = "tls"
	// Header believes one request header of another proxy, which must replace
	// what its clients send under that name. Config.Format says what is in it.
	Header Source = "header"
)

// Config chooses how a [Reader] reads.
type Config struct {
	// From is the source. There is no default.
	From Source
	// XFCCHops is which element of x-forwarded-client-cert counts, from the
	// right: 1 is the one that the last proxy wrote. 0 demands that the header
	// has one value with one element. At most [MaxElements]. It holds for
	// both sources, since [Peer] finds the chain in the same element.
	XFCCHops int
	// Header is the name of the header that [Header] reads, in any case. ""
	// takes the one of the Format. Other sources have none.
	Header string
	// Format is what that header holds. Other sources have none.
	Format Format
}

// Reader reads evidence from one configured source. It holds no state and is
// safe for concurrent use. The zero Reader has no source and refuses all.
type Reader struct {
	from   Source
	hops   int
	header string
	format Format
}

// NewReader returns a Reader, or an error about a setting that makes no sense.
func NewReader(c Config) (*Reader, error) {
	name := strings.ToLower(cmp.Or(c.Header, c.Format.DefaultHeader()))
	switch c.From {
	case Peer, XFCC, Statement, TLS:
		if c.Header != "" || c.Format != "" {
			return nil, fmt.Errorf("peercert: a header or a format beside the source %q", c.From)
		}
	case Header:
		if err := checkFormat(c.Format, name); err != nil {
			return nil, err
		}
		if c.XFCCHops != 0 {
			return nil, fmt.Errorf("peercert: hops of %s beside the header %s", xfccHeader, name)
		}
	default:
		return nil, fmt.Errorf("peercert: unknown source %q: want %q, %q, %q, %q or %q", c.From, Peer, XFCC, Statement, TLS, Header)
	}
	if c.XFCCHops < 0 || c.XFCCHops > MaxElements {
		return nil, fmt.Errorf("peercert: %d hops of %s: want 0 to %d", c.XFCCHops, xfccHeader, MaxElements)
	}
	return &Reader{from: c.From, hops: c.XFCCHops, header: name, format: c.Format}, nil
}

// Source returns where the reader reads.
func (r *Reader) Source() Source { return r.from }

// Read returns the proven certificate of p. Its error is always a
// [*decision.Denial], and the Evidence is then zero.
func (r *Reader) Read(p Presented, t *decision.Trace) (Evidence, error) {
	evidence, err := r.read(p, t)
	if err != nil {
		if t.On() {
			t.Fail(decision.StepEvidence, "%v", err)
		}
		return Evidence{}, err
	}
	if t.On() {
		t.Pass(decision.StepEvidence, "certificate with SHA-256 %x and %d intermediates, from %s",
			evidence.Thumbprint, len(evidence.Intermediates), r.source())
	}
	return evidence, nil
}

// source is where the evidence is from, in words.
func (r *Reader) source() string {
	if r.from == Header {
		return r.header + " as " + string(r.format)
	}
	return string(r.from)
}

func (r *Reader) read(p Presented, t *decision.Trace) (Evidence, error) {
	switch r.from {
	case Peer:
		return r.fromPeer(p, t)
	case XFCC:
		return r.fromXFCC(p, t)
	case Statement:
		return r.fromStatement(p)
	case TLS:
		return r.fromTLS(p)
	case Header:
		return r.fromHeader(p)
	default:
		return Evidence{}, decision.Denyf(decision.InternalError, "", "no source of certificates is configured")
	}
}

// withinSize is asked before any byte of the evidence is looked at.
func withinSize(peer []byte, where string, values []string) error {
	size := len(peer)
	if size > MaxBytes {
		where = peerField
	}
	for _, value := range values {
		size += len(value)
	}
	if size > MaxBytes {
		return decision.Denyf(decision.EvidenceTooLarge, where, "%d bytes in all: at most %d are read", size, MaxBytes)
	}
	return nil
}
