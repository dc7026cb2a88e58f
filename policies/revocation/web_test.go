package revocation_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certbearer/certbearer/policies/revocation"
)

func TestWhereConnectionsMayLead(t *testing.T) {
	own := []revocation.Allowed{
		{Prefix: netip.MustParsePrefix("10.1.0.0/16")},
		{Prefix: netip.MustParsePrefix("10.2.0.1/32"), Ports: []uint16{8080}},
		{Prefix: netip.MustParsePrefix("fd00::/8")},
	}
	for address, want := range map[string]bool{
		"8.8.8.8:80": true, "8.8.8.8:443": true, "8.8.8.8:8080": false, "8.8.8.8:22": false, "8.8.8.8:0": false,
		"[2606:4700::1111]:443": true, "[2606:4700::1111]:25": false,
		"127.0.0.1:80": false, "127.255.255.254:443": false, "[::1]:80": false, "0.0.0.0:80": false, "0.1.2.3:80": false, "[::]:80": false,
		"10.0.0.1:80": false, "172.16.0.1:80": false, "172.31.255.255:80": false, "172.32.0.1:80": true, "192.168.1.1:443": false,
		"169.254.169.254:80": false, "168.63.129.16:80": false, "100.64.0.1:80": false, "100.127.255.255:80": false, "100.128.0.1:80": true,
		"192.0.0.170:80": false, "192.0.2.1:80": false, "198.18.0.1:80": false, "198.51.100.1:80": false, "203.0.113.1:80": false,
		"192.88.99.1:80": false, "224.0.0.1:80": false, "240.0.0.1:80": false, "255.255.255.255:80": false,
		"[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "[fec0::1]:80": false, "[fc00::1]:80": false, "[ff02::1]:80": false,
		"[::ffff:127.0.0.1]:80": false, "[::ffff:10.0.0.1]:80": false, "[::ffff:169.254.169.254]:80": false, "[::ffff:8.8.8.8]:80": true,
		"[::127.0.0.1]:80": false, "[64:ff9b::7f00:1]:80": false, "[64:ff9b::a9fe:a9fe]:80": false, "[64:ff9b::808:808]:80": true,
		"[64:ff9b:1::7f00:1]:80": false, "[2002:7f00:1::]:80": false, "[2001:0:7f00:1::]:80": false, "[2001:db8::1]:80": false, "[3fff::1]:80": false,
		"[100::1]:80": false, "[5f00::1]:80": false,
		"10.1.2.3:80": true, "10.1.2.3:443": true, "10.1.2.3:8080": false, "[::ffff:10.1.2.3]:80": true, "[64:ff9b::a01:203]:80": true,
		"10.2.0.1:8080": true, "10.2.0.1:80": false, "10.2.0.2:8080": false, "[fd12::1]:443": true,
		"localhost:80": false, "": false,
	} {
		if err := revocation.CheckAddress(address, own); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// loopback allows the server of a test.
func loopback(t testing.TB, servers ...*httptest.Server) *revocation.Web {
	t.Helper()
	var allowed []revocation.Allowed
	for _, s := range servers {
		at := netip.MustParseAddrPort(s.Listener.Addr().String())
		allowed = append(allowed, revocation.Allowed{Prefix: netip.PrefixFrom(at.Addr(), at.Addr().BitLen()), Ports: []uint16{at.Port()}})
	}
	return revocation.NewWeb(allowed)
}

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestWhatAServerMayAnswer(t *testing.T) {
	forbidden := serve(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("asked"); w.Write([]byte("inner")) })
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
				t.Errorf("sent %v", r.Header)
			}
			w.Write([]byte("0123456789"))
		case "/cookie":
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/large", "/flood":
			if r.URL.Path == "/large" {
				w.Header().Set("Content-Length", "11")
			} else {
				w.(http.Flusher).Flush()
			}
			w.Write(bytes.Repeat([]byte("x"), 11))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		case "/encoded":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("x"))
		case "/short":
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("x"))
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/headers":
			w.Header().Set("X-Large", strings.Repeat("x", 64<<10))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/inner":
			http.Redirect(w, r, forbidden.URL, http.StatusFound)
		case "/ftp":
			http.Redirect(w, r, "ftp://example.org/", http.StatusFound)
		case "/secret":
			http.Redirect(w, r, "http://user:password@"+r.Host+"/good", http.StatusFound)
		}
	})
	web := loopback(t, server)
	for path, want := range map[string]string{
		"/good": "", "/cookie": "", "/large": "11 bytes, more than 10", "/flood": "more than 10 bytes", "/endless": "more than 10 bytes", "/encoded": "encoded",
		"/short": "broke off", "/missing": "status 404", "/headers": "header", "/loop": "more than 3 redirects", "/inner": "not allowed",
		"/ftp": "neither http nor https", "/secret": "credentials",
	} {
		t.Run(path, func(t *testing.T) {
			got, err := web.Fetch(t.Context(), revocation.Query{URL: server.URL + path, Max: 10})
			if want == "" && (err != nil || string(got) != "0123456789") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	for path, want := range map[string]string{"/good": "", "/cookie": "redirects"} {
		if _, err := web.Fetch(t.Context(), revocation.Query{URL: server.URL + path, Body: []byte("x"), Max: 10}); (err == nil) != (want == "") {
			t.Errorf("posted to %s: %v", path, err)
		}
	}
}

func TestALocationThatIsNone(t *testing.T) {
	for _, location := range []string{
		"", "ldap://ca.example/cn=x", "file:///etc/passwd", "http://", "http:///crl", "http://user@ca.example/", "https://a:b@ca.example/",
		"http://ca.example/#x", "http://ca.example/%zz", "//ca.example/crl", "http://ca.example/a b", "http://ca.example/\u202e", "http://ca.example/\xff", "http://c\u0430.example/", "gopher://ca.example/", "http://ca.example/" + strings.Repeat("x", 2048),
	} {
		if err := revocation.CheckURL(location); err == nil {
			t.Errorf("%.40q is a location", location)
		}
		if _, err := revocation.NewWeb(nil).Fetch(t.Context(), revocation.Query{URL: location, Max: 10}); err == nil {
			t.Errorf("%.40q was fetched", location)
		}
	}
	for _, location := range []string{"http://ca.example/ca.crl?x=y", "https://[2606:4700::1]:443/"} {
		if err := revocation.CheckURL(location); err != nil {
			t.Error(err)
		}
	}
}

func TestNoPrivateAddressIsConnectedToUnlessItIsAllowed(t *testing.T) {
	var asked atomic.Int32
	server := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"} {
		if _, err := revocation.NewWeb(nil).Fetch(t.Context(), revocation.Query{URL: "http://" + host + ":" + port, Max: 10}); err == nil {
			t.Errorf("%s was fetched", host)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// net/http reads the environment once in a process.
func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	if os.Getenv("http_proxy") == "" {
		proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), "http_proxy="+proxy.URL, "HTTP_PROXY="+proxy.URL, "no_proxy=", "NO_PROXY=")
		if output, err := again.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
			t.Fatalf("%v\n%s", err, output)
		}
		return
	}
	proxy, err := url.Parse(os.Getenv("http_proxy"))
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(proxy.Host)
	web := revocation.NewWeb([]revocation.Allowed{{Prefix: netip.PrefixFrom(at.Addr(), at.Addr().BitLen()), Ports: []uint16{at.Port()}}})
	if _, err := web.Fetch(t.Context(), revocation.Query{URL: "http://ca.invalid/crl", Max: 10}); err == nil {
		t.Error("fetched from a host that does not exist")
	}
	if asked, err := http.ProxyFromEnvironment(httptest.NewRequest(http.MethodGet, "http://ca.invalid/crl", nil)); err != nil || asked == nil {
		t.Errorf("the environment names no proxy: %v", err)
	}
}

func TestNothingButTCPIsDialled(t *testing.T) {
	control := revocation.Control([]revocation.Allowed{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}})
	for network, want := range map[string]bool{"tcp4": true, "tcp6": true, "tcp": false, "udp4": false, "udp6": false, "unix": false, "ip4": false, "": false} {
		if err := control(network, "10.0.0.1:80", nil); (err == nil) != want {
			t.Errorf("%q: %v", network, err)
		}
	}
}

func TestAServerThatStallsIsLeft(t *testing.T) {
	release := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	})
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan error, 1)
	go func() {
		_, err := loopback(t, server).Fetch(ctx, revocation.Query{URL: server.URL, Max: 10})
		begun <- err
	}()
	cancel()
	if err := <-begun; err == nil {
		t.Error("answered")
	}
	close(release)
}

func TestNoRedirectLeadsFromHTTPSToHTTP(t *testing.T) {
	request := func(url string) *http.Request { return httptest.NewRequest(http.MethodGet, url, nil) }
	for next, want := range map[string]bool{"http://ca.example/": false, "https://ca.example/": true,
		"https://user@ca.example/": false, "https://ca.example/" + strings.Repeat("x", 2048): false} {
		if err := revocation.CheckRedirect(request(next), []*http.Request{request("https://a.example/")}); (err == nil) != want {
			t.Errorf("%s: %v", next, err)
		}
	}
}
