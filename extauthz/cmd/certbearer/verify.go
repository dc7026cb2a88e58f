package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

type verifyCommand struct {
	TrustStore string `help:"What a client's certificateTrustStore would hold, PEM, or one certificate in DER, or - for standard input." required:"" placeholder:"FILE|-"`
	presentedFiles
	Purpose  string   `help:"What the certificate is for: client authentication, or any (${enum})." enum:"client,any" default:"client"`
	MaxDepth *uint8   `help:"The most intermediates that a path may have between the certificate and its CA, self-issued ones not counted." placeholder:"N"`
	Policy   []string `help:"Certificate policies, one of which has to lead down the path." placeholder:"OID"`
	Profile  string   `help:"What form the certificates of a path are to have: certificateProfile of a client's document (${enum})." enum:"strict,compatible" default:"strict"`
	Time     moment   `help:"Judge as of this time instead of now." placeholder:"RFC3339"`
	JSON     bool     `name:"json" help:"Print JSON."`
	revocationFlags
}

// Help says what stands below the flags.
func (verifyCommand) Help() string {
	return `The certificate is judged as a client with this trust store would have it
judged: accepted if exactly this certificate is in the store, or if signatures
lead to it from a CA in the store. No configuration and no client is read.

  certbearer verify --trust-store roots.pem --cert leaf.pem
  certbearer verify --trust-store roots.pem --cert leaf.pem --time 2027-01-01T00:00:00Z
  certbearer verify --trust-store roots.pem --cert - --json < leaf.pem

Exit codes: 0 accepted; 1 refused, also for what is presented and is no
certificate, and for a malformed one in the trust store; 2 could not tell, for the usage is wrong or a file cannot be read. Then standard error says why, and nothing else is printed,
with --json either.`
}

// Run judges and prints.
func (v verifyCommand) Run(c *console) error {
	store, wrongStore := v.store(c)
	terms, wrongTerms := v.terms()
	chain, wrongChain := v.parse(c)
	lists, wrongLists := v.lists(c)
	if unread, err := split(wrongStore, wrongTerms, wrongChain, wrongLists); err != nil {
		return err
	} else if unread != nil {
		return v.refuseUnread(c, unread)
	}
	tried := chain.Watch()
	path, pinned, refusal := judgeByStore(store, chain, terms)
	var revoked revocation.Verdict
	if refusal == nil {
		if revoked, refusal = lists.judge(chain, store, path, terms.At); refusal != nil {
			chain.Refuse(refusal)
		}
	}
	judgement := newJudgement(chain.Leaf, path, pinned, refusal)
	judgement.triedJSON, judgement.tried = newTriedJSON(tried), tried
	if refusal == nil {
		judgement.Revocation, judgement.Unknown = revoked.Status.String(), unknownOf(revoked.Missing)
	} else {
		judgement.Path = []pathCertificate{}
		if !pinned {
			judgement.Pins, judgement.OmittedPins = pinsBeside(store, chain.Leaf)
		}
	}
	return v.show(c, judgement, judgement.print)
}

// split takes what went wrong apart: what leaves the question open comes before what
// answers it, a certificate that cannot be read.
func split(wrong ...error) (unread, open error) {
	for _, err := range wrong {
		if decision.ReasonOf(err) == decision.CertificateMalformed {
			unread = cmp.Or(unread, err)
		} else {
			open = cmp.Or(open, err)
		}
	}
	return unread, open
}

// refuseUnread tells of something presented that is no certificate, or of a malformed
// one in the trust store.
func (v verifyCommand) refuseUnread(c *console, refusal error) error {
	judgement := judgement{Path: []pathCertificate{}, refusal: refusal, triedJSON: triedJSON{Attempts: []attemptJSON{}}}
	judgement.Reason, judgement.Field, judgement.Detail = partsOf(refusal)
	return v.show(c, judgement, judgement.printVerdict)
}

// show prints a judgement, by print where not as JSON.
func (v verifyCommand) show(c *console, j judgement, print func(io.Writer) error) error {
	var err error
	if v.JSON {
		err = printJSON(c.stdout, j)
	} else {
		err = print(c.stdout)
	}
	if err == nil && j.refusal != nil {
		return no()
	}
	return err
}

// store reads the trust store. An empty one is no question to answer, for it may be
// the wrong file. A malformed certificate in it refuses all, CertificateMalformed: a
// server takes no document with such a store, and so nobody is accepted by it.
func (v verifyCommand) store(c *console) ([]truststore.Entry, error) {
	text, err := c.readUpTo(v.TrustStore, truststore.MaxStoreBytes)
	if err != nil {
		return nil, err
	}
	shown := shownFile(v.TrustStore)
	if isDER(text) {
		text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text})
	}
	store, err := truststore.Parse(text)
	var block *truststore.BlockError
	switch {
	case errors.As(err, &block) && block.IsMalformed():
		return nil, decision.Deny(decision.CertificateMalformed, "trust store "+shown, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", shown, err)
	case len(store) == 0:
		return nil, fmt.Errorf("%s: no PEM certificate", shown)
	}
	return store, nil
}

func (v verifyCommand) terms() (truststore.Terms, error) {
	terms := truststore.Terms{At: orNow(v.Time), AnyPurpose: v.Purpose == "any", Policies: v.Policy}
	terms.Profile, _ = truststore.ParseProfile(v.Profile) // kong has held it to the two
	if v.MaxDepth != nil {
		most := int(*v.MaxDepth)
		terms.MaxIntermediates = &most
	}
	if len(v.Policy) > truststore.MaxPolicies {
		return truststore.Terms{}, fmt.Errorf("--policy: more than %d", truststore.MaxPolicies)
	}
	for _, policy := range v.Policy {
		if id, err := x509.ParseOID(policy); err != nil || id.String() != policy {
			return truststore.Terms{}, fmt.Errorf("--policy: %q is no OID", policy)
		}
	}
	return terms, nil
}

// judgeByStore does what policies does for an active client that names no
// method, has no binding and shares its CAs with nobody.
func judgeByStore(store []truststore.Entry, chain *truststore.Chain, terms truststore.Terms) (path truststore.Path, pinned bool, err error) {
	unfit := terms.CheckLeaf(chain.Leaf)
	pinned = slices.ContainsFunc(store, func(entry truststore.Entry) bool { return entry.Thumbprint == chain.Thumbprint })
	if pinned {
		return truststore.Path{chain.Leaf}, true, unfit
	}
	anchors := anchorsIn(store)
	if unfit != nil {
		_, _ = terms.Verify(chain, anchors) // for the paths that would lead to it
		return nil, false, unfit
	}
	if len(anchors) == 0 {
		return nil, false, decision.Denyf(decision.CertificateNotPinned, "trust store", "the certificate is none of the %d in it, and none of them is a CA", len(store))
	}
	path, err = terms.Verify(chain, anchors)
	return path, false, err
}

// judgement is what verify prints.
type judgement struct {
	Accepted bool              `json:"accepted"`
	Reason   string            `json:"reason,omitempty"`
	Field    string            `json:"field,omitempty"`
	Detail   string            `json:"detail,omitempty"`
	Path     []pathCertificate `json:"path"`
	Pinned   bool              `json:"pinned"`
	// Certificate is the one that was presented, nil where it, or one presented with
	// it or trusted, cannot be read.
	Certificate *pathCertificate `json:"certificate,omitempty"`
	// Revocation is, of an accepted certificate, good, unknown or unchecked.
	Revocation string `json:"revocation,omitempty"`
	// Unknown says why, of each certificate whose revocation is unknown.
	Unknown []unknownJSON `json:"revocation_unknown,omitempty"`
	triedJSON
	// Pins are certificates of the store that are not the one presented.
	Pins        []pinJSON `json:"pins,omitempty"`
	OmittedPins int       `json:"pins_omitted,omitempty"`

	refusal error
	leaf    *x509.Certificate
	tried   *truststore.Tried
}

// unknownJSON is why nothing is known of a certificate, which Field names.
type unknownJSON struct {
	Reason string `json:"reason"`
	Field  string `json:"field"`
	Detail string `json:"detail"`

	why error
}

func unknownOf(missing []error) []unknownJSON {
	var all []unknownJSON
	for _, why := range missing {
		field, detail := placeOf(why)
		all = append(all, unknownJSON{decision.ReasonOf(why).String(), field, detail, why})
	}
	return all
}

// pathCertificate is one certificate of a path, leaf first. Thumbprint is the
// SHA-256 of its DER in hexadecimal, Serial is hexadecimal too.
type pathCertificate struct {
	Subject string `json:"subject"`
	// SAN stands for a subject that is empty: see truststore.AltNameOf.
	SAN        string    `json:"san,omitempty"`
	Issuer     string    `json:"issuer"`
	Serial     string    `json:"serial"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	Thumbprint string    `json:"thumbprint"`

	name string // for a person: see truststore.NameOf
}

func newJudgement(leaf *x509.Certificate, path truststore.Path, pinned bool, refusal error) judgement {
	certificate := newPathCertificate(leaf)
	j := judgement{Accepted: refusal == nil, Pinned: pinned, Path: pathCertificates(path), Certificate: &certificate, refusal: refusal, leaf: leaf}
	if refusal != nil {
		j.Reason, j.Field, j.Detail = partsOf(refusal)
	}
	return j
}

// placeOf takes a refusal apart: where the fault lies, and what it is.
func placeOf(refusal error) (field, detail string) {
	var denial *decision.Denial
	if !errors.As(refusal, &denial) {
		return "", refusal.Error()
	}
	if denial.Cause != nil {
		detail = denial.Cause.Error()
	}
	return denial.Field, detail
}

func newPathCertificate(c *x509.Certificate) pathCertificate {
	sum := sha256.Sum256(c.Raw)
	return pathCertificate{
		Subject:    truststore.SubjectOf(c),
		SAN:        truststore.AltNameOf(c),
		Issuer:     truststore.IssuerOf(c),
		Serial:     c.SerialNumber.Text(16),
		NotBefore:  c.NotBefore.UTC(),
		NotAfter:   c.NotAfter.UTC(),
		Thumbprint: hex.EncodeToString(sum[:]),
		name:       truststore.NameOf(c),
	}
}

func (j judgement) print(w io.Writer) error {
	if err := j.printVerdict(w); err != nil {
		return err
	}
	if err := printAttempts(w, j.tried); err != nil {
		return err
	}
	if err := printPins(w, j.leaf, j.Pins); err != nil {
		return err
	}
	return printNotes(w, j.notes())
}

func (j judgement) printVerdict(w io.Writer) error {
	if j.refusal != nil {
		_, err := fmt.Fprintf(w, "refused: %s\n", printable(j.refusal.Error()))
		return err
	}
	how := "accepted by chain"
	if j.Pinned {
		how = "accepted: pinned"
	}
	if j.Revocation != revocation.Unchecked.String() {
		how += "; revocation " + j.Revocation
	}
	if _, err := fmt.Fprintln(w, how); err != nil {
		return err
	}
	for _, certificate := range j.Path {
		if _, err := fmt.Fprintf(w, "  %s  sha256 %s  until %s\n", printable(certificate.name), certificate.Thumbprint, stamp(certificate.NotAfter)); err != nil {
			return err
		}
	}
	return nil
}

func (j judgement) notes() []string {
	notes := triedNotes(j.tried)
	for _, unknown := range j.Unknown {
		notes = append(notes, "revocation unknown: "+unknown.why.Error())
	}
	if j.OmittedPins > 0 {
		notes = append(notes, fmt.Sprintf("%s more of the trust store are not shown", counted(j.OmittedPins, "certificate")))
	}
	if !j.Accepted && !j.Pinned && bytes.Equal(j.leaf.RawIssuer, j.leaf.RawSubject) {
		notes = append(notes, "the certificate names itself as its issuer: only a trust store that holds exactly this one accepts it")
	}
	return notes
}

// printNotes prints an empty line and a line for each.
func printNotes(w io.Writer, notes []string) error {
	for i, note := range notes {
		if i == 0 {
			note = "\n" + printable(note)
		} else {
			note = printable(note)
		}
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	return nil
}
