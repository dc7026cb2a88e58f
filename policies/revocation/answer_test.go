package revocation_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// answer is an OCSP answer to be written; the zero value says good, from a minute
// ago until in an hour.
type answer struct {
	about     *testca.Issued
	issuer    *testca.Issued // of the CertID
	signer    *testca.Issued // with its certificate beside the answer, unless it is the issuer
	noCert    bool
	named     *testca.Issued // by the responderID, where not the signer
	template  ocsp.Response
	noNext    bool
	algorithm x509.SignatureAlgorithm
}

func (a answer) der(t testing.TB) []byte {
	t.Helper()
	r := a.template
	r.SerialNumber = a.about.Certificate.SerialNumber
	r.SignatureAlgorithm = a.algorithm
	if r.ThisUpdate.IsZero() {
		r.ThisUpdate = noon.Add(-time.Minute)
	}
	if r.NextUpdate.IsZero() && !a.noNext {
		r.NextUpdate = noon.Add(time.Hour)
	}
	signer := a.signer
	if signer == nil {
		signer = a.issuer
	}
	if signer != a.issuer && !a.noCert {
		r.Certificate = signer.Certificate
	}
	named := signer
	if a.named != nil {
		named = a.named
	}
	der, err := ocsp.CreateResponse(a.issuer.Certificate, named.Certificate, r, signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func responderOf(t testing.TB, ca *testca.Issued, change func(*testca.Template)) *testca.Issued {
	template := testca.Template{CommonName: "Responder", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}
	if change != nil {
		change(&template)
	}
	return issue(t, ca, template)
}

func noCheck() []pkix.Extension {
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
}

// The name in a certificate is its issuer's only if it is the issuer's own.
func TestAnAnswerUnderTheCertificatesNameIsOfNoOtherIssuer(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	sameKey := selfSigned(t, testca.Template{CommonName: "Other", CA: true, Key: ca.Key})
	der := answer{about: leaf, issuer: ca, signer: sameKey, noCert: true}.der(t)
	if _, err := revocation.ParseAnswer(der, leaf.Certificate, sameKey.Certificate, noon); err == nil || !strings.Contains(err.Error(), "another issuer") {
		t.Errorf("%v", err)
	}
}

func TestWhoseAnswerSaysWhat(t *testing.T) {
	ca := newCA(t, "CA")
	leaf, other := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "other"})
	namesake := newCA(t, "CA")
	sameKey := selfSigned(t, testca.Template{CommonName: "Other", CA: true, Key: ca.Key})
	responder := responderOf(t, ca, nil)
	with := func(change func(*testca.Template)) *testca.Issued { return responderOf(t, ca, change) }
	unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}
	at := func(this, next time.Duration) ocsp.Response {
		return ocsp.Response{ThisUpdate: noon.Add(this), NextUpdate: noon.Add(next)}
	}
	twoIDs := ocsp.Response{IssuerHash: crypto.SHA256}
	for sentence, c := range map[string]struct {
		answer answer
		want   string // "good", "revoked" or a part of the error
	}{
		"the issuer says good":            {answer{}, "good"},
		"the issuer says revoked":         {answer{template: ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon, RevocationReason: 1}}, "revoked"},
		"the issuer does not know it":     {answer{template: ocsp.Response{Status: ocsp.Unknown}}, "does not know"},
		"a CertID by SHA-256":             {answer{template: twoIDs}, "good"},
		"a CertID by SHA-384":             {answer{template: ocsp.Response{IssuerHash: crypto.SHA384}}, "SHA-1 and SHA-256 are accepted"},
		"about another certificate":       {answer{about: other}, "0 times"},
		"about another issuer's":          {answer{issuer: newCA(t, "Other"), signer: ca, noCert: true}, "another issuer"},
		"about a namesake's":              {answer{issuer: namesake, signer: ca, noCert: true}, "another issuer"},
		"about another name's, same key":  {answer{issuer: sameKey, signer: ca, noCert: true}, "another issuer"},
		"signed by a namesake":            {answer{signer: namesake, noCert: true}, "verification failure"},
		"signed by a namesake, shown":     {answer{signer: namesake}, "OCSPSigning"},
		"a critical single extension":     {answer{template: ocsp.Response{ExtraExtensions: []pkix.Extension{{Id: unknown, Critical: true, Value: []byte{5, 0}}}}}, "critical"},
		"a single extension":              {answer{template: ocsp.Response{ExtraExtensions: []pkix.Extension{{Id: unknown, Value: []byte{5, 0}}}}}, "good"},
		"an answer that has ended":        {answer{template: at(-time.Hour, -time.Second)}, "stale"},
		"at its last second":              {answer{template: at(-time.Hour, 0)}, "good"},
		"an answer of the future":         {answer{template: at(6*time.Minute, time.Hour)}, "of the future"},
		"five minutes ahead":              {answer{template: at(5*time.Minute, time.Hour)}, "good"},
		"one that ends before it starts":  {answer{template: at(0, -time.Minute)}, "not after its thisUpdate"},
		"one without an end":              {answer{noNext: true}, "good"},
		"one without an end, an hour old": {answer{noNext: true, template: ocsp.Response{ThisUpdate: noon.Add(-time.Hour)}}, "stale"},

		"a delegated responder":                {answer{signer: responder}, "good"},
		"one that says revoked":                {answer{signer: responder, template: ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon}}, "revoked"},
		"one whose certificate is not shown":   {answer{signer: responder, noCert: true}, "responderID"},
		"one that says it is the CA":           {answer{signer: responder, named: ca}, "responderID"},
		"the CA that says it is a responder":   {answer{named: responder}, "responderID"},
		"a client certificate that answers":    {answer{signer: leaf}, "OCSPSigning"},
		"a responder for any purpose":          {answer{signer: with(func(x *testca.Template) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })}, "OCSPSigning"},
		"a responder for no stated purpose":    {answer{signer: with(func(x *testca.Template) { x.NoExtKeyUsage = true })}, "OCSPSigning"},
		"a responder of another CA":            {answer{signer: responderOf(t, newCA(t, "Other"), nil)}, "certified by another CA"},
		"a responder of a namesake":            {answer{signer: responderOf(t, namesake, nil)}, "not certified with the issuer's key"},
		"a responder that has expired":         {answer{signer: with(func(x *testca.Template) { x.NotAfter = noon.Add(-time.Hour) })}, "certificate_expired"},
		"a responder without digitalSignature": {answer{signer: with(func(x *testca.Template) { x.KeyUsage = usage(x509.KeyUsageKeyEncipherment) })}, "digitalSignature"},
		"a responder with an unknown critical field": {answer{signer: with(func(x *testca.Template) {
			x.ExtraExtensions = []pkix.Extension{{Id: unknown, Critical: true, Value: []byte{5, 0}}}
		})}, "critical_extension_unknown"},
		"a responder that is not to be checked": {answer{signer: with(func(x *testca.Template) { x.ExtraExtensions = noCheck() })}, "good"},
	} {
		t.Run(sentence, func(t *testing.T) {
			a := c.answer
			if a.about == nil {
				a.about = leaf
			}
			if a.issuer == nil {
				a.issuer = ca
			}
			got, err := revocation.ParseAnswer(a.der(t), leaf.Certificate, ca.Certificate, noon)
			switch {
			case err == nil && got.Revoked && c.want == "revoked", err == nil && !got.Revoked && c.want == "good":
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %+v, %v, want %q", got, err, c.want)
			}
		})
	}
}

func usage(u x509.KeyUsage) *x509.KeyUsage { return &u }

func TestWhatIsNoAnswerIsRefused(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	good := answer{about: leaf, issuer: ca}.der(t)
	spoiled := slices.Clone(good)
	spoiled[len(spoiled)-1] ^= 1
	for sentence, der := range map[string][]byte{
		"nothing":                   nil,
		"bytes behind it":           append(slices.Clone(good), 0),
		"one cut short":             good[:len(good)-1],
		"one too large":             append(slices.Clone(good), make([]byte, revocation.MaxAnswerBytes)...),
		"a signature changed":       spoiled,
		"tryLater":                  ocsp.TryLaterErrorResponse,
		"unauthorized":              ocsp.UnauthorizedErrorResponse,
		"a success without answer":  {0x30, 3, 10, 1, 0},
		"an answer about two":       twice(t, good, 2),
		"an answer about 33 others": twice(t, good, 34),
		"a CRL":                     list{by: ca}.der(t),
	} {
		t.Run(sentence, func(t *testing.T) {
			if got, err := revocation.ParseAnswer(der, leaf.Certificate, ca.Certificate, noon); err == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
	if _, err := revocation.ParseAnswer(good, leaf.Certificate, ca.Certificate, noon); err != nil {
		t.Error(err)
	}
}

// twice repeats the one single answer within an answer. The signature does not
// fit any more, which is asked later.
func twice(t testing.TB, der []byte, times int) []byte {
	return changed(t, der, func(data []asn1.RawValue) []asn1.RawValue {
		var singles []asn1.RawValue
		index := slices.IndexFunc(data, func(v asn1.RawValue) bool { return v.Tag == asn1.TagSequence && v.Class == 0 })
		if _, err := asn1.Unmarshal(data[index].FullBytes, &singles); err != nil {
			t.Fatal(err)
		}
		data[index] = asn1.RawValue{FullBytes: tlv(0x30, bytes.Repeat(singles[0].FullBytes, times))}
		return data
	})
}

// changed writes the fields of an answer's ResponseData anew.
func changed(t testing.TB, der []byte, change func([]asn1.RawValue) []asn1.RawValue) []byte {
	t.Helper()
	var outer, inner, basic, data []asn1.RawValue
	within := func(der []byte, into *[]asn1.RawValue) {
		if _, err := asn1.Unmarshal(der, into); err != nil {
			t.Fatal(err)
		}
	}
	within(der, &outer)
	within(outer[1].Bytes, &inner)
	within(inner[1].Bytes, &basic)
	within(basic[0].FullBytes, &data)
	basic[0] = asn1.RawValue{FullBytes: marshal(t, change(data))}
	inner[1] = asn1.RawValue{FullBytes: tlv(4, marshal(t, basic))}
	outer[1] = asn1.RawValue{FullBytes: tlv(0xa0, marshal(t, inner))}
	return marshal(t, outer)
}

func TestAnAnswerIsAskedForWhatTheLibraryDoesNotLookAt(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	good := answer{about: leaf, issuer: ca, template: ocsp.Response{ThisUpdate: noon.Add(-time.Hour)}}.der(t)
	critical := changed(t, good, func(data []asn1.RawValue) []asn1.RawValue {
		one := tlv(0x30, marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}), []byte{1, 1, 0xff}, tlv(4))
		return append(data, asn1.RawValue{FullBytes: tlv(0xa1, tlv(0x30, one))})
	})
	for sentence, c := range map[string]struct {
		der  []byte
		at   time.Time
		want string
	}{
		"two answers about it":           {twice(t, good, 2), noon, "2 times"},
		"34 answers":                     {twice(t, good, 34), noon, "more than 32 certificates"},
		"a critical extension of it all": {critical, noon, "critical and unknown"},
		"produced after now, of before":  {good, noon.Add(-10 * time.Minute), "of the future"},
	} {
		if _, err := revocation.ParseAnswer(c.der, leaf.Certificate, ca.Certificate, c.at); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func (a answer) parsed(t testing.TB) *revocation.Answer {
	t.Helper()
	parsed, err := revocation.ParseAnswer(a.der(t), a.about.Certificate, a.issuer.Certificate, noon)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestAnswersAndListsTogether(t *testing.T) {
	ca := newCA(t, "CA")
	leaf, other := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "other"})
	responder := responderOf(t, ca, nil)
	trusted := responderOf(t, ca, func(x *testca.Template) { x.ExtraExtensions = noCheck() })
	good, gone := answer{about: leaf, issuer: ca}, answer{about: leaf, issuer: ca, template: ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon, RevocationReason: 1}}
	by := func(a answer, signer *testca.Issued) answer { a.signer = signer; return a }
	listing := func(c *testca.Issued) list { return list{by: ca, entries: []listed{revoking(c)}} }
	old := func(l list) list { l.this, l.next = noon.Add(-2*time.Hour), noon.Add(-time.Second); return l }
	for sentence, c := range map[string]struct {
		answers []answer
		lists   []list
		later   time.Duration
		want    string
	}{
		"good":                                    {[]answer{good}, nil, 0, "good"},
		"revoked":                                 {[]answer{gone}, nil, 0, "certificate_revoked"},
		"good, an hour later":                     {[]answer{good}, nil, time.Hour + time.Second, "revocation_stale"},
		"revoked, a day later":                    {[]answer{gone}, nil, 24 * time.Hour, "certificate_revoked"},
		"good, and the list has it":               {[]answer{good}, []list{listing(leaf)}, 0, "certificate_revoked"},
		"revoked, and the list has it not":        {[]answer{gone}, []list{{by: ca}}, 0, "certificate_revoked"},
		"good, and the list has ended":            {[]answer{good}, []list{old(list{by: ca})}, 0, "good"},
		"about another":                           {[]answer{{about: other, issuer: ca}}, nil, 0, "revocation_unavailable"},
		"by a responder on no list":               {[]answer{by(good, responder)}, nil, 0, "good"},
		"by a responder that was revoked":         {[]answer{by(good, responder)}, []list{old(listing(responder))}, 0, "revocation_stale"},
		"by one, that says revoked":               {[]answer{by(gone, responder)}, []list{listing(responder)}, 0, "certificate_revoked"},
		"by one on a list that is not signed":     {[]answer{by(good, responder)}, []list{{by: ca, spoil: true, entries: []listed{revoking(responder)}}}, 0, "good"},
		"by one that is not to be checked":        {[]answer{by(good, trusted)}, []list{old(listing(trusted))}, 0, "good"},
		"before it is of now, by ten minutes":     {[]answer{good}, nil, -10 * time.Minute, "revocation_unavailable"},
		"an old good one beside one that revokes": {[]answer{good, gone}, nil, 0, "certificate_revoked"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var answers []*revocation.Answer
			for _, a := range c.answers {
				answers = append(answers, a.parsed(t))
			}
			var lists []*revocation.CRL
			for _, l := range c.lists {
				lists = append(lists, l.parsed(t))
			}
			view := revocation.NewView(nil, lists, answers)
			got := outcome(view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon.Add(c.later)))
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzParseAnswer(f *testing.F) {
	ca := newCA(f, "CA")
	leaf := issue(f, ca, testca.Template{CommonName: "leaf"})
	for _, a := range []answer{
		{}, {signer: responderOf(f, ca, nil)}, {noNext: true},
		{template: ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon, IssuerHash: crypto.SHA256}},
	} {
		a.about, a.issuer = leaf, ca
		f.Add(a.der(f))
	}
	f.Add(ocsp.TryLaterErrorResponse)
	f.Fuzz(func(t *testing.T, der []byte) {
		a, err := revocation.ParseAnswer(der, leaf.Certificate, ca.Certificate, noon)
		if err != nil {
			return
		}
		// Nobody but the CA and its responder signs, so that what is accepted is
		// one of the seeds, as far as they are signed.
		if other, err := ocsp.ParseResponseForCert(der, leaf.Certificate, nil); err != nil || (other.Status == ocsp.Revoked) != a.Revoked {
			t.Fatalf("x/crypto/ocsp reads another one: %v", err)
		}
	})
}
