package revocation_test

import (
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// crldp is the extension of a certificate with distribution points.
func crldp(points ...[]byte) testca.Template {
	return testca.Template{CommonName: "leaf", ExtraExtensions: certificateExtensions(extension{id: ce(31), value: tlv(0x30, points...)})}
}

func pointAt(names ...[]byte) []byte { return tlv(0x30, fullName(names...)) }

func TestWhoseListSaysWhat(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	other := issue(t, ca, testca.Template{CommonName: "other"})
	sub := issue(t, ca, testca.Template{CommonName: "Sub", CA: true})
	here := issue(t, ca, crldp(pointAt(uriName("http://a/1"), uriName("http://a/2"))))
	somewhere := issue(t, ca, crldp(tlv(0x30, tlv(0xa2, tlv(0xa4, newCA(t, "Lists").Certificate.RawSubject)))))
	relative := issue(t, ca, crldp(pointAt(tlv(0xa4, nameBelow(t, ca.Certificate.RawSubject, "part 1")))))
	broken := issue(t, ca, crldp(tlv(0x30, tlv(0xa3))))
	named := func(points, names int) *testca.Issued {
		var all [][]byte
		for i := range points {
			all = append(all, pointAt(slices.Repeat([][]byte{uriName(fmt.Sprint(i))}, names)...))
		}
		return issue(t, ca, crldp(all...))
	}
	bySome := issue(t, ca, crldp(tlv(0x30, fullName(uriName("http://a/1")), []byte{0x81, 2, 5, 0x60}))) // keyCompromise, cACompromise
	old := func(l list) list { l.this, l.next = noon.Add(-2*time.Hour), noon.Add(-time.Second); return l }
	early := func(l list) list { l.this = noon.Add(6 * time.Minute); return l }
	with := func(extensions ...extension) list { return list{by: ca, extensions: extensions} }
	listing := func(l list, c *testca.Issued) list { l.entries = []listed{revoking(c)}; return l }
	delta := extension{id: ce(27), critical: true, value: []byte{2, 1, 1}}
	reasonsOf := func(a, b byte) []byte { return []byte{0x83, 3, 7, a, b} }
	for sentence, c := range map[string]struct {
		of    *testca.Issued
		lists []list
		want  string // in hard mode
	}{
		"no list":                                 {leaf, nil, "revocation_unavailable"},
		"an empty list":                           {leaf, []list{{by: ca}}, "good"},
		"a list with the certificate":             {leaf, []list{listing(list{by: ca}, leaf)}, "certificate_revoked"},
		"a list with another":                     {leaf, []list{listing(list{by: ca}, other)}, "good"},
		"a revocation that is to come":            {leaf, []list{{by: ca, entries: []listed{{serial: leaf.Certificate.SerialNumber, since: noon.Add(time.Hour)}}}}, "certificate_revoked"},
		"a certificate on hold":                   {leaf, []list{{by: ca, entries: []listed{revoking(leaf, reasonCode(6))}}}, "certificate_revoked"},
		"a list of another CA":                    {leaf, []list{listing(list{by: newCA(t, "Other")}, leaf)}, "revocation_unavailable"},
		"a list of another CA of that name":       {leaf, []list{listing(list{by: newCA(t, "CA")}, leaf)}, "revocation_unavailable"},
		"a list with a bad signature":             {leaf, []list{{by: ca, spoil: true}}, "revocation_unavailable"},
		"a bad one beside a good one":             {leaf, []list{{by: ca, spoil: true, number: 9}, {by: ca}}, "good"},
		"a list that has ended":                   {leaf, []list{old(list{by: ca})}, "revocation_stale"},
		"one that has ended, with it":             {leaf, []list{old(listing(list{by: ca}, leaf))}, "certificate_revoked"},
		"one that has ended, beside one that has": {leaf, []list{old(list{by: ca}), {by: ca, number: 2}}, "good"},
		"a list of the future":                    {leaf, []list{early(list{by: ca})}, "revocation_unavailable"},
		"one of the future, with it":              {leaf, []list{early(listing(list{by: ca}, leaf))}, "certificate_revoked"},
		"a list five minutes ahead":               {leaf, []list{{by: ca, this: noon.Add(5 * time.Minute)}}, "good"},
		"an old one with it, a new one without":   {leaf, []list{listing(list{by: ca}, leaf), {by: ca, number: 2}}, "certificate_revoked"},

		"a list for users, of a user":            {leaf, []list{with(distributionPoint(onlyUsers))}, "good"},
		"a list for users, of a CA":              {sub, []list{with(distributionPoint(onlyUsers))}, "revocation_unavailable"},
		"a list for CAs, of a user":              {leaf, []list{with(distributionPoint(onlyCAs))}, "revocation_unavailable"},
		"a list for CAs, of a CA":                {sub, []list{with(distributionPoint(onlyCAs))}, "good"},
		"a list for CAs, with a user":            {leaf, []list{listing(with(distributionPoint(onlyCAs)), leaf)}, "certificate_revoked"},
		"a list for attribute certificates":      {leaf, []list{with(distributionPoint(onlyAttributes))}, "revocation_unavailable"},
		"one of those, with the number":          {leaf, []list{listing(with(distributionPoint(onlyAttributes)), leaf)}, "revocation_unavailable"},
		"an indirect list":                       {leaf, []list{with(distributionPoint(indirect))}, "good"},
		"an indirect list that has ended":        {leaf, []list{old(with(distributionPoint(indirect)))}, "revocation_stale"},
		"an indirect list for CAs, of a user":    {leaf, []list{with(distributionPoint(onlyCAs, indirect))}, "revocation_unavailable"},
		"an indirect list of another CA":         {leaf, []list{{by: newCA(t, "Other"), extensions: []extension{distributionPoint(indirect)}}}, "revocation_unavailable"},
		"one for a point of another list issuer": {somewhere, []list{with(distributionPoint(fullName(uriName("http://a/1")), indirect))}, "revocation_unavailable"},
		"an indirect list with the number":       {leaf, []list{listing(with(distributionPoint(indirect)), leaf)}, "certificate_revoked"},
		"a delta":                                {leaf, []list{with(delta)}, "revocation_unavailable"},
		"a delta with it":                        {leaf, []list{listing(with(delta), leaf), {by: ca}}, "certificate_revoked"},
		"a delta that removes it":                {leaf, []list{{by: ca, extensions: []extension{delta}, entries: []listed{revoking(leaf, reasonCode(8))}}, {by: ca}}, "good"},
		"a delta that removes it from the list":  {leaf, []list{{by: ca, extensions: []extension{delta}, entries: []listed{revoking(leaf, reasonCode(8))}}, listing(list{by: ca}, leaf)}, "certificate_revoked"},
		"a list for everybody, of a partition":   {here, []list{{by: ca}}, "good"},
		"the certificate's partition":            {here, []list{with(distributionPoint(fullName(uriName("http://a/2"))))}, "good"},
		"another partition":                      {here, []list{with(distributionPoint(fullName(uriName("http://a/3"))))}, "revocation_unavailable"},
		"another partition that has it":          {here, []list{listing(with(distributionPoint(fullName(uriName("http://a/3")))), here)}, "certificate_revoked"},
		"a partition, of one that names none":    {leaf, []list{with(distributionPoint(fullName(uriName("http://a/1"))))}, "revocation_unavailable"},
		"the CA's own name, of one with none":    {leaf, []list{with(distributionPoint(fullName(tlv(0xa4, ca.Certificate.RawSubject))))}, "good"},
		"a partition named from the CA's name":   {relative, []list{with(distributionPoint(tlv(0xa0, tlv(0xa1, commonName(t, "part 1")))))}, "good"},
		"another one named from the CA's name":   {relative, []list{with(distributionPoint(tlv(0xa0, tlv(0xa1, commonName(t, "part 2")))))}, "revocation_unavailable"},
		"a point of another list issuer":         {somewhere, []list{with(distributionPoint(fullName(uriName("http://a/1"))))}, "revocation_unavailable"},
		"points that cannot be read":             {broken, []list{with(distributionPoint(fullName(uriName("http://a/1"))))}, "revocation_unavailable"},
		"a point among as many as are read":      {named(64, 4), []list{with(distributionPoint(fullName(uriName("2"))))}, "good"},
		"a point among more points":              {named(65, 1), []list{with(distributionPoint(fullName(uriName("2"))))}, "revocation_unavailable"},
		"a point among more names":               {named(52, 5), []list{with(distributionPoint(fullName(uriName("2"))))}, "revocation_unavailable"},
		"a point beside a long one":              {issue(t, ca, crldp(pointAt(uriName("2"), uriName(strings.Repeat("x", 8<<10))))), []list{with(distributionPoint(fullName(uriName("2"))))}, "revocation_unavailable"},
		"points unread, and a list of them all":  {broken, []list{{by: ca}}, "good"},
		"a list of some reasons":                 {leaf, []list{with(distributionPoint(reasonsOf(0x60, 0)))}, "revocation_unavailable"},
		"two lists of some reasons":              {leaf, []list{with(distributionPoint(reasonsOf(0x60, 0))), with(distributionPoint(reasonsOf(0x1e, 0x80)))}, "revocation_unavailable"},
		"lists that have all reasons together":   {leaf, []list{with(distributionPoint(reasonsOf(0x60, 0))), with(distributionPoint(reasonsOf(0x1f, 0x80)))}, "good"},
		"a list of some reasons with it":         {leaf, []list{listing(with(distributionPoint(reasonsOf(0x60, 0))), leaf)}, "certificate_revoked"},
		"a point that is for some reasons":       {bySome, []list{with(distributionPoint(fullName(uriName("http://a/1"))))}, "revocation_unavailable"},
		"such a point, and a list of all":        {bySome, []list{{by: ca}}, "good"},
		"a list with the certificate's AKI only": {leaf, []list{with(extension{ce(35), false, tlv(0x30, tlv(0x80, []byte("x")))})}, "revocation_unavailable"},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, reversed := range []bool{false, true} {
				var lists []*revocation.CRL
				for _, l := range c.lists {
					lists = append(lists, l.parsed(t))
				}
				if reversed {
					slices.Reverse(lists)
				}
				view := revocation.NewView(nil, lists, nil)
				if got := judged(view, revocation.Hard, c.of, ca); got != c.want {
					_, err := view.Judge(path(c.of, ca), revocation.Policy{Mode: revocation.Hard}, noon)
					t.Errorf("got %s, want %s (%v)", got, c.want, err)
				}
				soft := c.want
				if strings.HasPrefix(c.want, "revocation_") {
					soft = "unknown"
				}
				if got := judged(view, revocation.Soft, c.of, ca); got != soft {
					t.Errorf("soft: got %s, want %s", got, soft)
				}
				if got := judged(view, revocation.Off, c.of, ca); got != "unchecked" {
					t.Errorf("off: got %s", got)
				}
			}
		})
	}
}

func TestTheWholePathButTheAnchorIsAsked(t *testing.T) {
	root := newCA(t, "Root")
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true})
	leaf := issue(t, middle, testca.Template{CommonName: "leaf"})
	empty := func(by *testca.Issued) list { return list{by: by} }
	listing := func(by, c *testca.Issued) list { return list{by: by, entries: []listed{revoking(c)}} }
	for sentence, c := range map[string]struct {
		lists []list
		want  string
	}{
		"both good":                       {[]list{empty(root), empty(middle)}, "good"},
		"only the leaf known":             {[]list{empty(middle)}, "revocation_unavailable"},
		"only the middle known":           {[]list{empty(root)}, "revocation_unavailable"},
		"the middle revoked":              {[]list{listing(root, middle), empty(middle)}, "certificate_revoked"},
		"the middle revoked, leaf unsure": {[]list{listing(root, middle)}, "certificate_revoked"},
		"the leaf revoked":                {[]list{empty(root), listing(middle, leaf)}, "certificate_revoked"},
		"the anchor on its own list":      {[]list{listing(root, root), empty(middle)}, "good"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var lists []*revocation.CRL
			for _, l := range c.lists {
				lists = append(lists, l.parsed(t))
			}
			if got := judged(revocation.NewView(nil, lists, nil), revocation.Hard, leaf, middle, root); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAVerdictEndsWithTheFirstThatItRestsOnAndSaysWhatIsMissing(t *testing.T) {
	root := newCA(t, "Root")
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true})
	leaf := issue(t, middle, testca.Template{CommonName: "leaf"})
	lasting := func(by *testca.Issued, hours int) *revocation.CRL {
		return list{by: by, next: noon.Add(time.Duration(hours) * time.Hour)}.parsed(t)
	}
	view := revocation.NewView(nil, []*revocation.CRL{lasting(root, 2), lasting(middle, 3)}, nil)
	v, err := view.Judge(path(leaf, middle, root), revocation.Policy{Mode: revocation.Hard}, noon)
	if err != nil || !v.Until.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("%+v, %v", v, err)
	}
	long, short := lasting(root, 3), lasting(middle, 2)
	view = revocation.NewView(nil, []*revocation.CRL{long, short}, nil)
	v, err = view.Judge(path(leaf, middle, root), revocation.Policy{Mode: revocation.Hard}, noon)
	if err != nil || !v.Until.Equal(short.NextUpdate) || len(v.Missing) != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if got := outcome(view.Judge(path(leaf, middle, root), revocation.Policy{Mode: revocation.Hard}, v.Until.Add(time.Second))); got != "revocation_stale" {
		t.Errorf("after its end: %s", got)
	}
	v, err = revocation.NewView(nil, []*revocation.CRL{long}, nil).Judge(path(leaf, middle, root), revocation.Policy{Mode: revocation.Soft}, noon)
	if err != nil || len(v.Missing) != 1 || decision.ReasonOf(v.Missing[0]) != decision.RevocationUnavailable || !strings.Contains(v.Missing[0].Error(), "leaf") {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestAVerdictHoldsUntilSomethingArrivesOfItsOwnCAs(t *testing.T) {
	ca, other := newCA(t, "CA"), newCA(t, "Other")
	leaf, stranger := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, other, testca.Template{CommonName: "stranger"})
	own, foreign := list{by: ca}.parsed(t), list{by: other}.parsed(t)
	first := revocation.NewView(nil, []*revocation.CRL{own, foreign}, nil)
	stamp := func(v *revocation.View, certificates ...*testca.Issued) revocation.Stamp {
		verdict, err := v.Judge(path(certificates...), revocation.Policy{Mode: revocation.Soft}, noon)
		if err != nil {
			t.Fatal(err)
		}
		return verdict.Stamp
	}
	ours, theirs := stamp(first, leaf, ca), stamp(first, stranger, other)
	second := revocation.NewView(first, []*revocation.CRL{own, list{by: other, number: 2, entries: []listed{revoking(stranger)}}.parsed(t)}, nil)
	if !second.Holds(ours) || second.Holds(theirs) {
		t.Errorf("ours %v, theirs %v", second.Holds(ours), second.Holds(theirs))
	}
	fellow := issue(t, ca, testca.Template{CommonName: "fellow"})
	ofFellow, ofLeaf := answer{about: fellow, issuer: ca}.parsed(t), answer{about: leaf, issuer: ca}.parsed(t)
	answered := revocation.NewView(first, []*revocation.CRL{own, foreign}, []*revocation.Answer{ofFellow})
	if more := revocation.NewView(answered, []*revocation.CRL{own, foreign}, []*revocation.Answer{ofLeaf, ofFellow}); !more.Holds(stamp(answered, fellow, ca)) || more.Holds(ours) {
		t.Error("an answer about another ends a verdict, or one about its own does not")
	}
	if !answered.Holds(ours) || answered.Holds(stamp(first, fellow, ca)) {
		t.Error("an answer about one certificate ends the verdicts of others, or not its own")
	}
	if again := revocation.NewView(answered, []*revocation.CRL{own, foreign}, nil); again.Holds(stamp(answered, fellow, ca)) {
		t.Error("a verdict holds without the answer that it hangs on")
	}
	if got := judged(second, revocation.Soft, stranger, other); got != "certificate_revoked" {
		t.Errorf("the stranger: %s", got)
	}
	third := revocation.NewView(second, []*revocation.CRL{own}, nil)
	if !third.Holds(ours) || third.Holds(stamp(second, leaf, ca)) != third.Holds(ours) {
		t.Error("ours no longer holds")
	}
	var none *revocation.View
	if !none.Holds(revocation.Stamp{}) || none.Holds(ours) || !none.Holds(stamp(none, leaf, ca)) {
		t.Error("of no view")
	}
	if third.Holds(theirs) || !third.Holds(stamp(third, stranger, other)) {
		t.Error("of a CA of which nothing is left")
	}
}

// A stamp must not keep a large list in memory, and one whose list is gone must not
// hold for a View that has nothing either.
func TestAStampOutlivesItsListsAndDoesNotKeepThem(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	stamp, gone := func() (revocation.Stamp, chan struct{}) {
		known := list{by: ca}.parsed(t)
		gone := make(chan struct{})
		runtime.AddCleanup(known, func(done chan struct{}) { close(done) }, gone)
		v, err := revocation.NewView(nil, []*revocation.CRL{known}, nil).Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon)
		if err != nil {
			t.Fatal(err)
		}
		return v.Stamp, gone
	}()
	end := time.Now().Add(10 * time.Second)
	for collected := false; !collected; {
		runtime.GC()
		select {
		case <-gone:
			collected = true
		default:
			if time.Now().After(end) {
				t.Fatal("the list is kept")
			}
		}
	}
	var none *revocation.View
	if none.Holds(stamp) || revocation.NewView(nil, nil, nil).Holds(stamp) || stamp.Size() == 0 {
		t.Errorf("a stamp of %d bytes holds for a View without the list", stamp.Size())
	}
}

func TestAViewOfNothingKnowsNothing(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	var none *revocation.View
	for mode, want := range map[revocation.Mode]string{revocation.Off: "unchecked", revocation.Soft: "unknown", revocation.Hard: "revocation_unavailable", 9: "revocation_unavailable"} {
		if got := judged(none, mode, leaf, ca); got != want {
			t.Errorf("%s: %s", mode, got)
		}
	}
}

func TestAPinIsHeldToTheCAsOfItsStore(t *testing.T) {
	root := newCA(t, "Root")
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true})
	pin := issue(t, middle, testca.Template{CommonName: "pin"})
	own := selfSigned(t, testca.Template{CommonName: "own", CA: true})
	anchors := func(stored ...*testca.Issued) []*truststore.Anchor { return anchorsOf(t, stored...) }
	for sentence, c := range map[string]struct {
		pin    *testca.Issued
		stored []*testca.Issued
		want   int
	}{
		"no CA":                         {pin, nil, 1},
		"its CA":                        {pin, []*testca.Issued{middle}, 2},
		"its CA and the one above":      {pin, []*testca.Issued{root, middle}, 3},
		"the one above alone":           {pin, []*testca.Issued{root}, 1},
		"another CA of its CA's name":   {pin, []*testca.Issued{newCA(t, "Middle")}, 1},
		"one that signed itself":        {own, []*testca.Issued{own, root}, 1},
		"a CA that is stored, and root": {middle, []*testca.Issued{root}, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := revocation.WithIssuers(c.pin.Certificate, anchors(c.stored...)); len(got) != c.want {
				t.Errorf("a path of %d, want %d", len(got), c.want)
			}
		})
	}
	view := revocation.NewView(nil, []*revocation.CRL{list{by: middle, entries: []listed{revoking(pin)}}.parsed(t)}, nil)
	for stored, want := range map[*testca.Issued]string{root: "unchecked", middle: "certificate_revoked"} {
		if got := outcome(view.Judge(revocation.WithIssuers(pin.Certificate, anchors(stored)), revocation.Policy{Mode: revocation.Hard}, noon)); got != want {
			t.Errorf("with %v stored: %s", stored, got)
		}
	}
}

func TestModesAreReadAsTheyAreWritten(t *testing.T) {
	for _, mode := range []revocation.Mode{revocation.Off, revocation.Soft, revocation.Hard} {
		if got, err := revocation.ParseMode(mode.String()); err != nil || got != mode {
			t.Errorf("%s: %s, %v", mode, got, err)
		}
	}
	for _, text := range []string{"", "Hard", "on"} {
		if _, err := revocation.ParseMode(text); err == nil {
			t.Errorf("%q is a mode", text)
		}
	}
}

// Time alone never revokes, and never lets in: with the same lists, what is
// revoked at one time is revoked at every other, and soft mode changes nothing
// but whether the unknown is let through.
func TestTimeAndModeNeverTurnARevocationAround(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", SerialNumber: big.NewInt(77)})
	rapid.Check(t, func(r *rapid.T) {
		var lists []*revocation.CRL
		listedOnce := false
		for range rapid.IntRange(0, 4).Draw(r, "lists") {
			start := noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(r, "from")) * time.Minute)
			l := list{by: ca, this: start, next: start.Add(time.Duration(rapid.IntRange(1, 100).Draw(r, "for")) * time.Minute)}
			if rapid.Bool().Draw(r, "listed") {
				l.entries = []listed{revoking(leaf)}
			}
			l.spoil = rapid.Bool().Draw(r, "spoiled")
			listedOnce = listedOnce || len(l.entries) > 0 && !l.spoil
			lists = append(lists, l.parsed(t))
		}
		view := revocation.NewView(nil, lists, nil)
		at := noon.Add(time.Duration(rapid.IntRange(-200, 200).Draw(r, "at")) * time.Minute)
		hardVerdict, hardErr := view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, at)
		softVerdict, softErr := view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Soft}, at)
		hard, soft := outcome(hardVerdict, hardErr), outcome(softVerdict, softErr)
		if (hard == "certificate_revoked") != listedOnce || (soft == "certificate_revoked") != listedOnce {
			r.Errorf("listed %v: hard %s, soft %s", listedOnce, hard, soft)
		}
		if (hard == "good") != (soft == "good") {
			r.Errorf("hard %s, soft %s", hard, soft)
		}
		if hard == "good" && (!hardVerdict.Until.After(at.Add(-time.Second))) {
			r.Errorf("good until %s, which is past", hardVerdict.Until)
		}
	})
}
