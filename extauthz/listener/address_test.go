package listener_test

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func TestParseAddress(t *testing.T) {
	for name, test := range map[string]struct {
		text, want, wantError string
		unix                  bool
	}{
		"a Unix socket":                     {text: "unix:/run/cb/x.sock", want: "unix:/run/cb/x.sock", unix: true},
		"a Unix socket written as a URI":    {text: "unix:///run/cb/x.sock", want: "unix:/run/cb/x.sock", unix: true},
		"a relative Unix socket":            {text: "unix:run/x.sock", want: "unix:run/x.sock", unix: true},
		"a path that is cleaned":            {text: "unix:/run/../run/x.sock", want: "unix:/run/x.sock", unix: true},
		"a host and port":                   {text: "127.0.0.1:9191", want: "127.0.0.1:9191"},
		"an IPv6 host":                      {text: "[::1]:9191", want: "[::1]:9191"},
		"every interface":                   {text: ":0", want: ":0"},
		"an abstract socket has no mode":    {text: "unix:@cb", wantError: "abstract"},
		"a file whose name starts with @":   {text: "unix:./@cb", want: "unix:./@cb", unix: true},
		"@ after a path that is cleaned":    {text: "unix:run/../@cb", want: "unix:./@cb", unix: true},
		"a folder above":                    {text: "unix:../..", wantError: "folder"},
		"a URI that names a host":           {text: "unix://host/x.sock", wantError: "names a host"},
		"no path":                           {text: "unix:", wantError: "no path"},
		"a folder":                          {text: "unix:/run/", wantError: "folder"},
		"the folder we are in":              {text: "unix:.", wantError: "folder"},
		"a NUL in the path":                 {text: "unix:/run/x\x00.sock", wantError: "NUL"},
		"a host without a port":             {text: "localhost", wantError: "neither unix:/path nor host:port"},
		"a named port":                      {text: "localhost:http", wantError: "not a number"},
		"a port that is too large":          {text: "localhost:65536", wantError: "not a number"},
		"a signed port":                     {text: "localhost:+1", wantError: "not a number"},
		"another scheme":                    {text: "tcp://localhost:1", wantError: "neither"},
		"a path where the host should be":   {text: "/run/x:1", wantError: "is no host"},
		"more than any system could take":   {text: "unix:/" + strings.Repeat("a", 5000), wantError: "over 4096 bytes"},
		"nothing":                           {wantError: "neither"},
		"an IPv6 host without its brackets": {text: "::1:9191", wantError: "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listener.ParseAddress(test.text)
			if test.wantError != "" {
				wantError(t, err, test.wantError)
				return
			}
			if err != nil || got.String() != test.want || got.Unix() != test.unix {
				t.Errorf("ParseAddress(%q) = %v (unix %v), %v", test.text, got, got.Unix(), err)
			}
		})
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one with %q", err, text)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"unix:/a", "unix:///a", "unix:@a", "unix:./@a", "127.0.0.1:1", "[::1]:0", ":", "unix:..", "a:b:c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := listener.ParseAddress(text)
		if err != nil {
			return
		}
		again, err := listener.ParseAddress(address.String())
		if err != nil || again != address {
			t.Errorf("%q: reads back as %v, %v", text, again, err)
		}
	})
}
