package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/certbearer/certbearer/extauthz/discovery"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

// maxDemoAnswer bounds what the demo reads of an answer.
const maxDemoAnswer = 1 << 20

// reply is what one request came to.
type reply struct {
	status   int
	body     string
	id       string  // x-request-id
	received *echoed // what the upstream received, nil if nothing
	reason   string  // of the audit record
	client   string  // of the audit record
}

// call sends a GET through Envoy, with a certificate if there is one.
func (s *stage) call(ctx context.Context, certificate *testca.Issued, path string, header http.Header) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.address.String()+path, nil)
	if err != nil {
		return reply{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	r, err := s.send(certificate, request)
	if err != nil {
		return reply{}, err
	}
	if r.status == http.StatusOK {
		r.received = &echoed{}
		if err := json.Unmarshal([]byte(r.body), r.received); err != nil {
			return reply{}, fmt.Errorf("the echo service's answer: %w", err)
		}
	}
	return r, s.readRecord(ctx, &r)
}

// send sends a request through Envoy.
func (s *stage) send(certificate *testca.Issued, request *http.Request) (reply, error) {
	client, err := s.httpClient(certificate)
	if err != nil {
		return reply{}, err
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDemoAnswer))
	return reply{
		status: response.StatusCode, body: strings.TrimSpace(string(body)), id: response.Header.Get("X-Request-Id"),
	}, err
}

func (s *stage) httpClient(certificate *testca.Issued) (*http.Client, error) {
	pem, err := os.ReadFile(filepath.Join(s.site.Dir, "pki", "server.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the server's certificate cannot be read")
	}
	settings := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		settings.Certificates = []tls.Certificate{certificate.TLSCertificate()}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings}, Timeout: 10 * time.Second}, nil
}

// readRecord finds the audit record of a request, which is written within
// 100 ms of the answer.
func (s *stage) readRecord(ctx context.Context, r *reply) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if s.findRecord(r) {
			return nil
		}
		select {
		case <-tick.C:
		case <-patience.Done():
			return fmt.Errorf("no audit record has the request id %q", r.id)
		}
	}
}

// findRecord takes the last record of the request. Of one to an endpoint of ours
// the check in front of it has left one too, which only says that it passed.
func (s *stage) findRecord(r *reply) bool {
	file, err := os.Open(s.settings.Audit.To)
	if err != nil {
		return false
	}
	defer file.Close()
	found := false
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var record struct {
			RequestID string `json:"request_id"`
			Reason    string `json:"reason"`
			Client    string `json:"client"`
		}
		if json.Unmarshal(lines.Bytes(), &record) == nil && r.id != "" && record.RequestID == r.id {
			r.reason, r.client = record.Reason, record.Client
			found = r.reason != decision.AllowedEndpoint.String()
		}
	}
	return found
}

// bearer is a token that the upstream received, verified by the key set that
// Envoy serves.
type bearer struct {
	header jose.Header
	claims map[string]any
}

// verify reads the Authorization that the upstream received.
func (s *stage) verify(ctx context.Context, received *echoed) (bearer, error) {
	values := received.Headers["Authorization"]
	if len(values) != 1 {
		return bearer{}, fmt.Errorf("the upstream received %d Authorization headers", len(values))
	}
	token, found := strings.CutPrefix(values[0], "Bearer ")
	if !found {
		return bearer{}, errors.New("the upstream's Authorization is no bearer token")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return bearer{}, err
	}
	keys, err := s.keySet(ctx)
	if err != nil {
		return bearer{}, err
	}
	b := bearer{header: parsed.Headers[0]}
	return b, parsed.Claims(keys, &b.claims)
}

func (s *stage) keySet(ctx context.Context) (*jose.JSONWebKeySet, error) {
	client, err := s.httpClient(nil)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.address.String()+discovery.JWKSPath, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	keys := new(jose.JSONWebKeySet)
	return keys, json.NewDecoder(io.LimitReader(response.Body, maxDemoAnswer)).Decode(keys)
}
