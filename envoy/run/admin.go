package run

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

const (
	adminTimeout  = 2 * time.Second
	maxAdminBody  = 1 << 20
	maxAddressLen = 128
)

// admin asks Envoy's admin interface.
type admin struct {
	at netip.AddrPort
}

// readAddress reads the file that Envoy writes its admin address to. It may be
// met half written: what does not parse is not there yet.
func readAddress(path string) (netip.AddrPort, bool) {
	f, err := os.Open(path)
	if err != nil {
		return netip.AddrPort{}, false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAddressLen))
	if err != nil {
		return netip.AddrPort{}, false
	}
	at, err := netip.ParseAddrPort(strings.TrimSpace(string(text)))
	return at, err == nil && at.Port() != 0
}

func (a admin) ready(ctx context.Context) bool {
	_, err := a.get(ctx, "/ready")
	return err == nil
}

func (a admin) listeners(ctx context.Context) (map[string]netip.AddrPort, error) {
	body, err := a.get(ctx, "/listeners?format=json")
	if err != nil {
		return nil, err
	}
	return ParseListeners(body)
}

func (a admin) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.at.String()+path, nil)
	if err != nil {
		return nil, err
	}
	// A client of its own: no proxy, and no connection left open behind.
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("envoy admin: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAdminBody))
	if err != nil {
		return nil, fmt.Errorf("envoy admin: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("envoy admin: %s answers %s", path, response.Status)
	}
	return body, nil
}

// ParseListeners reads the answer of Envoy's admin interface to
// /listeners?format=json: the bound address of every TCP listener by its name.
// Listeners on Unix sockets are left out.
func ParseListeners(body []byte) (map[string]netip.AddrPort, error) {
	var answer struct {
		Statuses []struct {
			Name  string `json:"name"`
			Local struct {
				Socket *struct {
					Address string `json:"address"`
					Port    uint16 `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if len(body) > maxAdminBody {
		return nil, fmt.Errorf("listeners: over %d bytes", maxAdminBody)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("listeners: %w", err)
	}
	bound := make(map[string]netip.AddrPort, len(answer.Statuses))
	for _, s := range answer.Statuses {
		if s.Local.Socket == nil {
			continue
		}
		ip, err := netip.ParseAddr(s.Local.Socket.Address)
		if err != nil {
			return nil, fmt.Errorf("listeners: %w", err)
		}
		bound[s.Name] = netip.AddrPortFrom(ip, s.Local.Socket.Port)
	}
	return bound, nil
}
