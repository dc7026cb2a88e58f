package revocation_test

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// In a change of keys the CA's new key certifies the old one. Most CAs write one list
// from then on, with the new key; some go on to write one for each.
func TestAListOfTheIssuersOtherKeyVouchesWhereNoneOfItsOwnIsKnown(t *testing.T) {
	before, after := newCA(t, "CA"), newCA(t, "CA")
	certSign := x509.KeyUsageCertSign
	mute := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: after.Key, KeyUsage: &certSign})
	oldByNew := issue(t, after, testca.Template{CommonName: "CA", CA: true, Key: before.Key})
	leaf := issue(t, before, testca.Template{CommonName: "leaf"})
	here := issue(t, before, crldp(pointAt(uriName("http://a/1"))))
	elsewhere := issue(t, before, crldp(tlv(0x30, tlv(0xa2, tlv(0xa4, newCA(t, "Other").Certificate.RawSubject)))))
	ofItsKey := extension{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 1}, false, []byte{2, 1, 1}}
	otherKey := extension{ce(35), false, tlv(0x30, tlv(0x80, []byte("other")))}
	stale := func(l list) list {
		l.this, l.next = noon.Add(-3*time.Hour), noon.Add(-time.Hour)
		return l
	}
	by := func(ca *testca.Issued, extensions ...extension) list { return list{by: ca, extensions: extensions} }
	reasonsOf := func(a, b byte) []byte { return []byte{0x83, 3, 7, a, b} }
	some, rest := distributionPoint(reasonsOf(0x60, 0)), distributionPoint(reasonsOf(0x1f, 0x80))
	for sentence, c := range map[string]struct {
		of    *testca.Issued
		above *testca.Issued
		lists []list
		want  string
		why   string
	}{
		"one of the new key":                            {leaf, after, []list{by(after)}, "good", ""},
		"one of the new key, for users":                 {leaf, after, []list{by(after, distributionPoint(onlyUsers))}, "good", ""},
		"one of the new key, for CAs":                   {leaf, after, []list{by(after, distributionPoint(onlyCAs))}, "revocation_unavailable", "for other certificates"},
		"one of the new key, of the partition":          {here, after, []list{by(after, distributionPoint(fullName(uriName("http://a/1"))))}, "good", ""},
		"one of the new key, of another partition":      {here, after, []list{by(after, distributionPoint(fullName(uriName("http://a/2"))))}, "revocation_unavailable", "for other certificates"},
		"one of the new key that has ended":             {leaf, after, []list{stale(by(after))}, "revocation_stale", "ended at"},
		"lists of the new key, of some reasons each":    {leaf, after, []list{by(after, some), by(after, rest)}, "good", ""},
		"a list of some reasons of each key":            {leaf, after, []list{by(before, some), by(after, rest)}, "revocation_unavailable", "leave reasons out"},
		"one of each key, the old one's has ended":      {leaf, after, []list{stale(by(before)), by(after)}, "revocation_stale", "ended at"},
		"one of each key, the old one's is for CAs":     {leaf, after, []list{by(before, distributionPoint(onlyCAs)), by(after)}, "revocation_unavailable", "for other certificates"},
		"one of each key, the new one's has ended":      {leaf, after, []list{by(before), stale(by(after))}, "good", ""},
		"one that says that it is of the new key alone": {leaf, after, []list{by(after, ofItsKey)}, "revocation_unavailable", "a list for each of its keys"},
		"one of the old key that says so":               {leaf, after, []list{by(before, ofItsKey)}, "good", ""},
		"one of the new key, which may not sign lists":  {leaf, mute, []list{by(after)}, "revocation_unavailable", "lacks cRLSign"},
		"one of the new key that names a third":         {leaf, after, []list{by(after, otherKey)}, "revocation_unavailable", "names another key"},
		"one of a key that nobody on the path has":      {leaf, after, []list{by(newCA(t, "CA"))}, "revocation_unavailable", "for other certificates"},
		"lists are another issuer's to write":           {elsewhere, after, nil, "revocation_unavailable", "cRLIssuer"},
		"though it says so, its issuer writes one":      {elsewhere, after, []list{by(before)}, "good", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, reversed := range []bool{false, true} {
				// What the anchor's key says of the old key's certificate.
				lists := []*revocation.CRL{list{by: after, number: 7, extensions: []extension{distributionPoint(onlyCAs)}}.parsed(t)}
				for _, l := range c.lists {
					lists = append(lists, l.parsed(t))
				}
				if reversed {
					slices.Reverse(lists)
				}
				verdict, err := revocation.NewView(nil, lists, nil).Judge(path(c.of, oldByNew, c.above), revocation.Policy{Mode: revocation.Hard}, noon)
				if got := outcome(verdict, err); got != c.want || err != nil && !(strings.Contains(err.Error(), c.why) && strings.Contains(err.Error(), truststore.NameOf(c.of.Certificate))) {
					t.Errorf("got %s, want %s: %v", got, c.want, err)
				}
			}
		})
	}
}

func TestAnOCSPAnswerCountsBesideListsOfAnotherKey(t *testing.T) {
	before, after := newCA(t, "CA"), newCA(t, "CA")
	oldByNew := issue(t, after, testca.Template{CommonName: "CA", CA: true, Key: before.Key})
	leaf := issue(t, before, testca.Template{CommonName: "leaf"})
	answered := []*revocation.Answer{answer{about: leaf, issuer: oldByNew}.parsed(t)}
	ended := list{by: after, this: noon.Add(-3 * time.Hour), next: noon.Add(-time.Hour)}.parsed(t)
	above := list{by: after, number: 7, extensions: []extension{distributionPoint(onlyCAs)}}.parsed(t)
	if got := judged(revocation.NewView(nil, []*revocation.CRL{ended, above}, answered), revocation.Hard, leaf, oldByNew, after); got != "good" {
		t.Error(got)
	}
	current := list{by: after}.parsed(t)
	verdict, err := revocation.NewView(nil, []*revocation.CRL{current}, nil).Judge(path(leaf, oldByNew, after), revocation.Policy{Mode: revocation.Hard}, noon)
	if err != nil || !verdict.Until.Equal(current.NextUpdate) {
		t.Errorf("until %s, want %s: %v", verdict.Until, current.NextUpdate, err)
	}
}
