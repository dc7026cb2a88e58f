package revocation_test

import (
	"math/big"
	"testing"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// throughText is the name as it comes back from where it was written.
func throughText(t testing.TB, n revocation.Named) revocation.Named {
	t.Helper()
	read, err := revocation.ParseNamed(n.String())
	if err != nil || read != n {
		t.Fatalf("%s came back as %v: %v", n, read, err)
	}
	return read
}

// TestANameFindsWhatTheCertificateWould asks by name and with the certificate, and
// wants both to agree on what is revoked.
func TestANameFindsWhatTheCertificateWould(t *testing.T) {
	root, namesake := newCA(t, "Root"), newCA(t, "Root")
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true})
	leaf, other := issue(t, middle, testca.Template{CommonName: "leaf"}), issue(t, middle, testca.Template{CommonName: "other"})
	attributes := list{by: middle, extensions: []extension{distributionPoint(onlyAttributes)}, entries: []listed{revoking(leaf)}}
	delta := list{by: middle, number: 2, extensions: []extension{{id: ce(27), critical: true, value: marshal(t, 1)}}, entries: []listed{revoking(leaf)}}
	for sentence, c := range map[string]struct {
		lists []list
		want  bool
	}{
		"nothing":                                  {nil, false},
		"a list without it":                        {[]list{{by: middle}}, false},
		"a list with it":                           {[]list{{by: middle, entries: []listed{revoking(leaf)}}}, true},
		"a list with another":                      {[]list{{by: middle, entries: []listed{revoking(other)}}}, false},
		"one of two lists has it":                  {[]list{{by: middle}, {by: middle, number: 2, entries: []listed{revoking(leaf)}}}, true},
		"its issuer is on a list":                  {[]list{{by: root, entries: []listed{revoking(middle)}}}, true},
		"its number on the list of another CA":     {[]list{{by: root, entries: []listed{revoking(leaf)}}}, false},
		"its issuer on that of a CA with the name": {[]list{{by: namesake, entries: []listed{revoking(middle)}}}, false},
		"a list for attribute certificates":        {[]list{attributes}, false},
		"a delta list":                             {[]list{delta}, true},
		"a list that has ended":                    {[]list{{by: middle, this: noon.Add(-2e12), next: noon.Add(-1e12), entries: []listed{revoking(leaf)}}}, true},
		"a list that pretends to be of its issuer": {[]list{{by: namesake, name: middle.Certificate.RawSubject, entries: []listed{revoking(leaf)}}}, false},
	} {
		var lists []*revocation.CRL
		for _, l := range c.lists {
			lists = append(lists, l.parsed(t))
		}
		view := revocation.NewView(nil, lists, nil)
		byCertificate := judged(view, revocation.Soft, leaf, middle, root) == "certificate_revoked"
		byName := false
		names := revocation.NamesOf(path(leaf, middle, root))
		for _, name := range names {
			byName = view.Revokes(throughText(t, name)) || byName
		}
		if byName != c.want || byCertificate != c.want || len(names) != 2 {
			t.Errorf("%s: by name %v, by certificate %v, want %v", sentence, byName, byCertificate, c.want)
		}
	}
}

func TestAListCountsByNameOnceItsSignerIsKnown(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	revoked := list{by: ca, entries: []listed{revoking(leaf)}}.parsed(t)
	view := revocation.NewView(nil, []*revocation.CRL{revoked}, nil)
	name := revocation.NamesOf(path(leaf, ca))[0]
	if view.Revokes(name) {
		t.Error("nobody has looked who signed the list")
	}
	if err := revoked.SignedBy(ca.Certificate); err != nil || !view.Revokes(name) {
		t.Errorf("revoked %v, %v", view.Revokes(name), err)
	}
	var none *revocation.View
	if none.Revokes(name) {
		t.Error("by no View")
	}
}

func TestAnAnswerCountsByName(t *testing.T) {
	ca := newCA(t, "CA")
	leaf, other := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "other"})
	gone := answer{about: leaf, issuer: ca, template: ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon}}.parsed(t)
	good := answer{about: other, issuer: ca}.parsed(t)
	view := revocation.NewView(nil, nil, []*revocation.Answer{gone, good})
	for c, want := range map[*testca.Issued]bool{leaf: true, other: false} {
		if got := view.Revokes(revocation.NamesOf(path(c, ca))[0]); got != want {
			t.Errorf("%s: revoked %v", c.Certificate.Subject, got)
		}
	}
}

func TestWhatHasNoNameAndWhatIsNone(t *testing.T) {
	ca := newCA(t, "CA")
	long := issue(t, ca, testca.Template{CommonName: "long"})
	long.Certificate.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 400)
	if names := revocation.NamesOf(path(long, ca)); len(names) != 0 {
		t.Errorf("a number that is on no list: %v", names)
	}
	if names := revocation.NamesOf(path(ca)); len(names) != 0 {
		t.Errorf("a path of one: %v", names)
	}
	good := revocation.NamesOf(path(issue(t, ca, testca.Template{CommonName: "leaf"}), ca))[0].String()
	for sentence, text := range map[string]string{
		"empty": "", "no base64url": "!" + good[1:], "without a number": good[:85], "padded": good + "=", "too long": good + good,
	} {
		if _, err := revocation.ParseNamed(text); err == nil {
			t.Errorf("%s is a name", sentence)
		}
	}
}

func FuzzParseNamed(f *testing.F) {
	ca := newCA(f, "CA")
	f.Add(revocation.NamesOf(path(issue(f, ca, testca.Template{CommonName: "leaf"}), ca))[0].String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		name, err := revocation.ParseNamed(text)
		if err == nil && name.String() != text {
			t.Errorf("%q is also %q", name.String(), text)
		}
	})
}
