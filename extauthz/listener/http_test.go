package listener_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func servingHTTP(t *testing.T, config listener.HTTPConfig) *listener.HTTP {
	t.Helper()
	h, err := listener.ListenHTTP(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), <-ended); err != nil {
			t.Errorf("Close and Serve: %v", err)
		}
	})
	return h
}

func clientOf(t *testing.T, addr net.Addr) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func post(t *testing.T, client *http.Client, path, body string) (int, error) {
	t.Helper()
	answer, err := client.Post("http://certbearer"+path, "text/plain", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode, nil
}

func TestHTTPListenerBoundsWhatItTakes(t *testing.T) {
	panics := make(chan listener.Panic, 1)
	var output log
	h := servingHTTP(t, listener.HTTPConfig{
		Address: "unix:" + filepath.Join(shortDir(t), "http.sock"),
		Limits:  listener.HTTPLimits{BodyBytes: 10, HeaderBytes: 1000, HeaderTimeout: 50 * time.Millisecond},
		Events:  listener.Events{Panicked: func(p listener.Panic) { panics <- p }},
		Log:     slog.New(slog.NewTextHandler(&output, nil)),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("a secret of the handler")
			}
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
		}),
	})
	client := clientOf(t, h.Addr())
	for name, test := range map[string]struct {
		path, body string
		want       int
	}{
		"a body within the limit":  {"/", "0123456789", 200},
		"a body over the limit":    {"/", "0123456789a", 413},
		"headers over their limit": {"/" + strings.Repeat("a", 6000), "", 431},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := post(t, client, test.path, test.body); got != test.want {
				t.Errorf("status %d, %v; want %d", got, err, test.want)
			}
		})
	}
	t.Run("a panic cuts the connection and is told", func(t *testing.T) {
		if got, err := post(t, client, "/panic?code=secret", ""); err == nil {
			t.Errorf("status %d, want no answer", got)
		}
		if got := <-panics; got.Where != "POST /panic" {
			t.Errorf("told of %q", got.Where)
		}
		if got, err := post(t, client, "/", ""); got != 200 {
			t.Errorf("after the panic: status %d, %v", got, err)
		}
	})
	t.Run("a caller that never finishes its headers is cut off", func(t *testing.T) {
		conn, err := net.Dial("unix", h.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("the connection was not ended: %v", err)
		}
	})
	if lines := strings.Join(output.all(), ""); strings.Contains(lines, "secret") {
		t.Errorf("the log repeats the panic: %s", lines)
	}
}

func TestNothingIsAnsweredButByTheHandler(t *testing.T) {
	h := servingHTTP(t, listener.HTTPConfig{Address: "127.0.0.1:0", Handler: http.NotFoundHandler()})
	conn, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("OPTIONS *: %v, %v", answer, err)
	}
}

func TestHTTPListenerNeedsAnAddressAndAHandler(t *testing.T) {
	_, err := listener.ListenHTTP(t.Context(), listener.HTTPConfig{Address: "127.0.0.1:0"})
	wantError(t, err, "no handler")
	_, err = listener.ListenHTTP(t.Context(), listener.HTTPConfig{Address: "here", Handler: http.NotFoundHandler()})
	wantError(t, err, "neither")
}

func TestConnectionsAreBounded(t *testing.T) {
	h := servingHTTP(t, listener.HTTPConfig{
		Address: "127.0.0.1:0", Handler: http.NotFoundHandler(),
		Limits: listener.HTTPLimits{Connections: 1},
	})
	first, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask(t, first)
	second, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if _, err := second.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := second.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection was answered beside the first")
	}
	_ = first.Close()
	if err := second.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Read(make([]byte, 1)); err != nil {
		t.Errorf("the second connection after the first: %v", err)
	}
}

func ask(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
