package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/dirsource"
)

type explainCommand struct {
	configFlag
	Cert      string  `help:"The client's certificate, PEM or DER, or - for standard input; in PEM the intermediates may follow in the same file." placeholder:"FILE|-"`
	Chain     string  `help:"Intermediates that the client presents besides, PEM in any order, or one in DER." placeholder:"FILE|-"`
	ClientID  string  `name:"client-id" help:"Judge as if the request named this client." placeholder:"ID"`
	Method    *string `help:"The request's method (default: GET)." placeholder:"METHOD"`
	URL       *string `name:"url" help:"The request's URL, which chooses the route (default: https://localhost/)." placeholder:"URL"`
	Time      moment  `help:"Decide as of this time instead of now." placeholder:"RFC3339"`
	Record    string  `help:"Decide again what an audit record is about, at its own time: a file with one record, or - for standard input." placeholder:"FILE|-"`
	Audit     string  `help:"A file of audit records, or - for standard input, in which --request-id finds those to decide again." placeholder:"FILE|-"`
	RequestID string  `name:"request-id" help:"The x-request-id, which the caller was told." placeholder:"ID"`
	JSON      bool    `name:"json" help:"Print JSON; with --audit a list."`
}

// Help says what stands below the flags.
func (explainCommand) Help() string {
	return `The request goes through the same steps as one that Envoy asks about, by the
configuration and the client documents as they are on disk now. Nothing is
signed and no server is asked. What is shown besides: each path that was tried
and, of a refusal, what would make the request pass, and what else that opens.

  certbearer explain --cert leaf.pem
  certbearer explain --cert leaf.pem --chain intermediates.pem --method POST --url https://api.example/orders

With --record or --audit the request is one that was recorded. It is decided at
its own time, by the present configuration and documents; a record of shadow as
what would have been. A record has the certificate, or an earlier one of the
same thumbprint has it, which --audit finds; --cert gives it otherwise.

  certbearer explain --audit audit.jsonl --request-id 6f1c2b7e-5a55-4f0e-9d2b-0d7e0a1f2c3d
  tail -1 audit.jsonl | certbearer explain --record -
  kubectl logs deployment/certbearer | certbearer explain --audit - --request-id ID

Exit codes: 0 allowed; 1 refused; 2 could not tell.`
}

// Run decides and prints.
func (e explainCommand) Run(c *console) error {
	if err := e.check(); err != nil {
		return err
	}
	settings, err := e.load()
	if err != nil {
		return err
	}
	if e.Record != "" || e.Audit != "" {
		return e.again(c, settings)
	}
	ders, err := e.presented().read(c)
	if err != nil {
		return err
	}
	request, err := e.request(settings, ders)
	if err != nil {
		return err
	}
	clients, known, err := loadClients(c, settings)
	if err != nil {
		return err
	}
	explainer, err := newExplainer(settings)
	if err != nil {
		return err
	}
	in := newWorld(clients, known, readable(ders), e.ClientID, request.At)
	told := e.decide(c.ctx, explainer, in, request)
	told.describeToken(settings, request.At)
	if from := settings.Certificate; from.From == config.FromHeader {
		told.readFrom("what " + from.Header + " would hold")
	}
	if err := e.inquire(c, settings, explainer, in, told); err != nil {
		return err
	}
	if e.JSON {
		err = printJSON(c.stdout, told)
	} else {
		err = told.print(c.stdout)
	}
	if err == nil && !told.Allowed {
		return no()
	}
	return err
}

func (e explainCommand) decide(ctx context.Context, explainer *extauthz.Explainer, in world, request *wire.Request) *explanation {
	var trace decision.Trace
	explained := explainer.Explain(ctx, in.state(), request, e.ClientID, &trace)
	return newExplanation(explained, trace.Entries())
}

// readable returns the certificates if all can be read; where not, the steps say so.
func readable(ders [][]byte) []*x509.Certificate {
	var all []*x509.Certificate
	for _, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		all = append(all, certificate)
	}
	return all
}

// inquire looks into what was decided.
func (e explainCommand) inquire(c *console, settings *config.Config, explainer *extauthz.Explainer, in world, told *explanation) error {
	again := func(w world) extauthz.Explanation {
		var ders [][]byte
		for _, certificate := range w.presented {
			ders = append(ders, certificate.Raw)
		}
		request, err := e.request(settings, ders)
		if err != nil {
			return extauthz.Explanation{Err: err}
		}
		request.At = w.at
		return explainer.Explain(c.ctx, w.state(), request, w.clientID, nil)
	}
	if err := told.inquire(settings.Clients.Directory, in, again); err != nil {
		return err
	}
	if len(in.presented) == 0 || !mayBeMended(told.Reason) && told.Reason != decision.CertificateRevoked {
		return nil // no certificate was judged
	}
	asked := audit.Recorded{Time: in.at, ClientID: e.ClientID, Evidence: string(settings.Certificate.From), Chain: in.presented, ChainLength: len(in.presented)}
	looker := replayer{settings: settings, clients: in.clients}
	var err error
	told.Facts, err = looker.facts(&replay{record: asked, now: told})
	return err
}

// loadClients reads the documents and says on stderr if some have faults: the
// answer may hang on one of them. It reads what is known of revocations, too.
func loadClients(c *console, settings *config.Config) (*policies.Snapshot, knownRevocations, error) {
	clients, report, err := dirsource.Load(sourceConfig(settings))
	if err != nil {
		return nil, knownRevocations{}, inSetting("clients.directory", "clients", err)
	}
	if clients == nil {
		return nil, knownRevocations{}, fmt.Errorf("with clients.strict no document counts while there are faults, here %d: certbearer clients check names them", len(report.Faults))
	}
	if len(report.Faults) > 0 {
		fmt.Fprintf(c.stderr, "certbearer: %s in client documents, of which a running server may still have good versions: certbearer clients check names them\n", counted(len(report.Faults), "fault"))
	}
	if len(report.CRLs.Faults) > 0 {
		fmt.Fprintf(c.stderr, "certbearer: %s in revocation lists beside the client documents, of which a running server may still have good versions: certbearer clients check names them\n", counted(len(report.CRLs.Faults), "fault"))
	}
	return clients, readRevocations(settings, clients, report.CRLs), nil
}

func newExplainer(settings *config.Config) (*extauthz.Explainer, error) {
	chosen, err := routes(settings)
	if err != nil {
		return nil, err
	}
	reader, err := authenticator(explicable(settings))
	if err != nil {
		return nil, err
	}
	return explainerWith(settings, chosen, reader), nil
}

func explainerWith(settings *config.Config, table *extauthz.Routes, reader *authn.Authenticator) *extauthz.Explainer {
	return extauthz.NewExplainer(extauthz.Config{
		Routes:          table,
		Authenticator:   reader,
		DefaultAudience: settings.Audience,
		EndpointOrigin:  config.Origin(settings.Issuer),
		EndpointPaths:   tokenendpoint.Paths(),
		EndpointHosts:   endpointHosts(settings),
		Shadow:          settings.Mode == config.ModeShadow,
		ClientModes:     clientModes(settings),
	})
}

// explicable reads the certificate as Envoy proves it, where a proxy in front of
// Envoy writes it into a header: its form is that proxy's, and not what is explained.
func explicable(settings *config.Config) *config.Config {
	if settings.Certificate.From != config.FromHeader {
		return settings
	}
	plain := *settings
	plain.Certificate = config.Certificate{From: config.FromPeer}
	return &plain
}

// methodToken is the token of RFC 9110 section 5.6.2: a proxy passes on nothing
// else as a method.
var methodToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func orElse(given *string, standard string) string {
	if given == nil {
		return standard
	}
	return *given
}

// request is the check that Envoy would send.
func (e explainCommand) request(settings *config.Config, ders [][]byte) (*wire.Request, error) {
	method, at := orElse(e.Method, "GET"), orElse(e.URL, "https://localhost/")
	target, err := url.Parse(at)
	if err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http" {
		return nil, errors.New("--url: is no URL such as https://api.example/orders")
	}
	if !methodToken.MatchString(method) {
		return nil, errors.New("--method: is no HTTP method such as GET")
	}
	request := &wire.Request{}
	request.Method, request.Scheme, request.Host = method, target.Scheme, target.Host
	request.Path, request.RawQuery = target.EscapedPath(), target.RawQuery
	if request.Path == "" {
		request.Path = "/"
	}
	request.At = orNow(e.Time)
	if explicable(settings).Certificate.From == config.FromPeer {
		request.PeerCertificate = []byte(envoyPEM(ders[0]))
	}
	forwarded := forwardedHeader(ders, settings.Certificate.Hops)
	request.Header = func(name string) []string {
		if name == "x-forwarded-client-cert" {
			return []string{forwarded}
		}
		return nil
	}
	return request, nil
}
