package listener

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// presentedBy is a handshake and the configuration that it was made with.
type presentedBy struct {
	state  tls.ConnectionState
	config *tls.Config
}

// decide finds out whose the connection is. presented is nil without a handshake
// in which it could have a certificate. The refusal is told.
func (g *proxyGate) decide(conn *proxyConn, presented *presentedBy) error {
	proxy, err := g.whose(conn.RemoteAddr(), presented)
	if err != nil {
		if g.events.Refused != nil {
			g.events.Refused(conn.RemoteAddr(), err)
		}
		return err
	}
	conn.proxy = proxy
	return nil
}

// whose returns the one proxy that the connection matches. A certificate that is
// sent has to be good, whatever the address says: nobody gets in by a wrong one.
func (g *proxyGate) whose(remote net.Addr, presented *presentedBy) (*knownProxy, error) {
	var leaf *x509.Certificate
	if presented != nil && len(presented.state.PeerCertificates) > 0 {
		var err error
		if leaf, err = presented.verify(); err != nil {
			return nil, fmt.Errorf("proxies: the certificate: %w", err)
		}
	}
	address := addressOf(remote)
	var found *knownProxy
	for i := range g.proxies {
		proxy := &g.proxies[i]
		switch {
		case !proxy.has(leaf, address):
		case found != nil:
			return nil, fmt.Errorf("proxies: the connection is %s's and %s's: one has to be enough", found.Name, proxy.Name)
		default:
			found = proxy
		}
	}
	if found == nil {
		return nil, errors.New("proxies: the connection is of none of them" + carrying(leaf))
	}
	return found, nil
}

func (p *knownProxy) has(leaf *x509.Certificate, address netip.Addr) bool {
	for _, name := range p.names {
		if leaf != nil && name.Matches(leaf) {
			return true
		}
	}
	for _, network := range p.Addresses {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

func carrying(leaf *x509.Certificate) string {
	if leaf == nil {
		return ", and has no certificate"
	}
	return clip(fmt.Sprintf("; its certificate is for DNS %q, URI %q", leaf.DNSNames, leaf.URIs))
}

// verify judges the certificate as crypto/tls would with RequireAndVerifyClientCert.
func (p *presentedBy) verify() (*x509.Certificate, error) {
	leaf := p.state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, certificate := range p.state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         p.config.ClientCAs,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return leaf, err
}

// addressOf is the remote address of a TCP connection, the zero one for others. It
// is the connection's: no header and no protocol in front of it can say another.
func addressOf(remote net.Addr) netip.Addr {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
