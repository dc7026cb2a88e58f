package revocation

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// fetchTimeout bounds one fetch from the name to the last byte.
	fetchTimeout = 30 * time.Second
	// headerTimeout bounds the wait for an answer to begin.
	headerTimeout = 10 * time.Second
	// dialTimeout bounds a connection, and its TLS handshake.
	dialTimeout = 5 * time.Second
	// maxRedirects bounds where one location may lead.
	maxRedirects = 3
	// maxURLBytes bounds a location.
	maxURLBytes = 2 << 10
	// maxHeaderBytes bounds the headers of an answer.
	maxHeaderBytes = 32 << 10
)

// Query is one question to a location.
type Query struct {
	URL string
	// Body is an OCSP request to be posted; nil gets the URL.
	Body []byte
	// Max is how many bytes the answer may have.
	Max int64
}

// Backend fetches. Its answer may be anything: it is judged by who signed it.
type Backend interface {
	Fetch(ctx context.Context, q Query) ([]byte, error)
}

// Web is the Backend over HTTP. It takes no proxy from the environment, sends no
// credentials and no cookies, and connects to public addresses on the ports 80
// and 443 alone, unless others are allowed.
type Web struct{ client *http.Client }

// NewWeb makes a Web.
func NewWeb(allowed []Allowed) *Web {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: control(allowed)}
	return &Web{client: &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableKeepAlives:      true,
			DisableCompression:     true, // a small body may be a large one
		},
	}}
}

// withoutURL leaves out the location, whose query may hold a secret.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// CheckURL says whether a location is one that is fetched from: http or https,
// with a host, without credentials and without a fragment.
func CheckURL(text string) error {
	if len(text) > maxURLBytes {
		return fmt.Errorf("the location has more than %d bytes", maxURLBytes)
	}
	// What RFC 3986 does not allow would stand in logs and metrics.
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the location has white space, or characters beyond ASCII")
	}
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("the location is no URL")
	}
	return checkURL(u)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the location is neither http nor https")
	case u.User != nil:
		return errors.New("the location has credentials")
	case u.Hostname() == "":
		return errors.New("the location has no host")
	case u.Fragment != "":
		return errors.New("the location has a fragment")
	}
	return nil
}

func checkRedirect(next *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case via[0].Method != http.MethodGet:
		return errors.New("an OCSP responder that redirects")
	case via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("a redirect from https to http")
	}
	next.Header.Del("Referer")
	return in(Forbidden, CheckURL(next.URL.String()))
}

// Fetch gets or posts, and returns the body of an answer 200.
func (w *Web) Fetch(ctx context.Context, q Query) ([]byte, error) {
	if err := CheckURL(q.URL); err != nil {
		return nil, in(Forbidden, err)
	}
	method, body := http.MethodGet, io.Reader(nil)
	if q.Body != nil {
		method, body = http.MethodPost, bytes.NewReader(q.Body)
	}
	request, err := http.NewRequestWithContext(ctx, method, q.URL, body)
	if err != nil {
		return nil, errors.New("the location is no URL")
	}
	request.Header.Set("User-Agent", "certbearer")
	if q.Body != nil {
		request.Header.Set("Content-Type", "application/ocsp-request")
	}
	response, err := w.client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, in(Declined, fmt.Errorf("the answer has status %d", response.StatusCode))
	case response.Header.Get("Content-Encoding") != "":
		return nil, in(Malformed, errors.New("the answer is encoded"))
	case response.ContentLength > q.Max:
		return nil, in(TooLarge, fmt.Errorf("the answer has %d bytes, more than %d", response.ContentLength, q.Max))
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, q.Max+1))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	if int64(len(answer)) > q.Max {
		return nil, in(TooLarge, fmt.Errorf("the answer has more than %d bytes", q.Max))
	}
	return answer, nil
}
