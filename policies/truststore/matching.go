package truststore

import (
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// allowNames holds all the names of a certificate to the constraints of the CAs
// above it.
func (c *Chain) allowNames(certificate *x509.Certificate, above []*constraints, profile Profile) error {
	names, err := c.namesOf(readBy{certificate, profile})
	if err != nil {
		return err
	}
	for _, constraint := range above {
		for _, name := range names {
			compared := len(constraint.permitted) + len(constraint.excluded)
			if c.comparisons += compared; c.comparisons > maxNameComparisons {
				return decision.Denyf(decision.PathTooComplex, describe(certificate), "its names and the constraints above it take more than %d comparisons", maxNameComparisons)
			}
			if err := c.work.spend(compared/comparisonsPerWork, maxWork); err != nil {
				return err
			}
			if problem := constraint.refuse(name); problem != "" {
				return decision.Denyf(decision.PathInvalid, describe(certificate), "%s %s of %s", name.shown, problem, describe(constraint.of))
			}
		}
	}
	return nil
}

// subjectNames are the names of a certificate, or why they cannot be read.
type subjectNames struct {
	names []generalName
	err   error
}

func (c *Chain) namesOf(of readBy) ([]generalName, error) {
	known, found := c.subjects[of]
	if !found {
		read := c.readNames
		known.names, known.err = of.profile.checkedNames(of.certificate, &c.readNames)
		c.work.spent += (c.readNames - read) / directoryBytesPerWork
		if c.subjects == nil {
			c.subjects = make(map[readBy]subjectNames)
		}
		c.subjects[of] = known
	}
	return known.names, known.err
}

// refuse says how the name breaks the constraints, "" if it does not.
func (c *constraints) refuse(name generalName) string {
	for _, tree := range c.excluded {
		if tree.tag != name.tag {
			continue
		}
		if name.problem != "" {
			return name.problem + "; something of the kind is excluded by the nameConstraints"
		}
		if name.vague {
			return "has text of a type that is not compared; something of the kind is excluded by the nameConstraints"
		}
		if tree.covers(name, true) {
			return "is within " + tree.String() + ", which is excluded by the nameConstraints"
		}
	}
	if c.narrowed&(1<<name.tag) == 0 {
		return ""
	}
	if name.problem != "" {
		return name.problem + "; something of the kind is permitted by the nameConstraints"
	}
	permitted := ""
	for _, tree := range c.permitted {
		if tree.tag != name.tag {
			continue
		}
		if tree.covers(name, false) {
			return ""
		}
		if permitted == "" {
			permitted = tree.String()
		} else if !strings.HasSuffix(permitted, " …") {
			permitted += " …"
		}
	}
	return "is not within " + permitted + ", which is permitted by the nameConstraints"
}

// covers reports whether the name, which is of the tree's kind, is within the
// tree. Of a wildcard, part suffices where the tree is excluded, and nothing but
// all of it where it is permitted; so it is with a tree that can be read in two ways.
func (t subtree) covers(name generalName, part bool) bool {
	switch t.tag {
	case tagDNS:
		if parent, wild := strings.CutPrefix(name.text, "*."); wild {
			_, above, _ := strings.Cut(t.text, ".")
			return below(parent, t.text) || part && above == parent
		}
		return below(name.text, t.text)
	case tagURI:
		return t.hosts(name.text, part)
	case tagEmail:
		if strings.Contains(t.text, "@") {
			return name.text == t.text
		}
		return t.hosts(name.text[strings.LastIndexByte(name.text, '@')+1:], part)
	case tagIP:
		return t.network.Contains(name.address)
	case tagDirectory:
		return name.name.under(t.name)
	}
	return true // of no kind that is compared: neither permitted nor not excluded
}

// hosts is the rule of URI and e-mail constraints: with a dot before it every
// host below, without it exactly that host. RFC 5280 has no empty one: to some it is
// every host, and to others none.
func (t subtree) hosts(host string, part bool) bool {
	if t.text == "" {
		return part
	}
	if t.text[0] == '.' {
		return len(host) > len(t.text) && strings.HasSuffix(host, t.text)
	}
	return host == t.text
}

// below is the rule of dNSName constraints: the host and every one below it, those
// alone if there is a dot before it.
func below(host, base string) bool {
	if base != "" && base[0] == '.' {
		return len(host) > len(base) && strings.HasSuffix(host, base)
	}
	return base == "" || host == base || len(host) > len(base) && strings.HasSuffix(host, base) && host[len(host)-len(base)-1] == '.'
}

// String is the subtree as a denial shows it.
func (t subtree) String() string {
	switch t.tag {
	case tagDNS:
		return show("dNSName", t.text)
	case tagURI:
		return show("uniformResourceIdentifier", t.text)
	case tagEmail:
		return show("rfc822Name", t.text)
	case tagIP:
		return show("iPAddress", t.network.String())
	case tagDirectory:
		return "directoryName " + strconv.Quote(bounded(t.shown))
	}
	return "a name of kind [" + strconv.Itoa(int(t.tag)) + "]"
}
