package truststore

import (
	"crypto/x509"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

const anyPolicy = "2.5.29.32.0"

// MaxPolicies bounds the certificate policies that [Terms] ask for: which of
// them a path leads to is held in a word.
const MaxPolicies = 64

// noPolicyYet is what the counters begin with where nothing is asked for: more
// than a path has certificates.
const noPolicyYet = 1 << 30

// policyState is the part of the state of RFC 5280 6.1.2 that is about
// certificate policies. In place of the tree, whose size a chain of mappings
// makes exponential (RFC 9618), stands what the next certificate is asked
// about: each policy that it may have, with those of the wanted ones, in the
// anchor's domain, that it would stand for. A nil map is the tree NULL.
type policyState struct {
	wanted     []string // empty: any will do
	expected   map[string]uint64
	explicit   int
	mapping    int
	inhibitAny int
}

func (t Terms) initialPolicies() policyState {
	s := policyState{wanted: t.Policies, explicit: noPolicyYet, mapping: noPolicyYet, inhibitAny: noPolicyYet}
	if len(t.Policies) > 0 {
		s.explicit = 0
	}
	if slices.Contains(t.Policies, anyPolicy) {
		s.wanted = nil
	}
	s.expected = map[string]uint64{anyPolicy: s.all()}
	return s
}

func (s policyState) all() uint64 {
	if len(s.wanted) == 0 {
		return 1
	}
	return 1<<len(s.wanted) - 1
}

// standsFor returns the bit of a policy of the anchor's domain, none if nobody
// wants it: it keeps the tree alive all the same.
func (s policyState) standsFor(policy string) uint64 {
	if len(s.wanted) == 0 {
		return 1
	}
	if i := slices.Index(s.wanted, policy); i >= 0 {
		return 1 << i
	}
	return 0
}

// enter is 6.1.3 (d) to (f). mayAny says that anyPolicy counts even where it is
// inhibited: in a self-issued certificate that is not the last.
func (s policyState) enter(c *x509.Certificate, mayAny bool) (policyState, error) {
	s.expected = s.narrowed(c, mayAny)
	if s.explicit == 0 && s.expected == nil {
		return s, decision.Denyf(decision.PathInvalid, describe(c), "an explicit certificate policy is required, and none is left that it and every CA above it share")
	}
	return s, nil
}

func (s policyState) narrowed(c *x509.Certificate, mayAny bool) map[string]uint64 {
	if s.expected == nil || len(c.Policies) == 0 {
		return nil
	}
	next := make(map[string]uint64, len(c.Policies))
	has := false
	for _, id := range c.Policies {
		policy := id.String()
		if policy == anyPolicy {
			has = true
		} else if bits, expected := s.expected[policy]; expected {
			next[policy] = bits
		} else if _, anything := s.expected[anyPolicy]; anything {
			next[policy] = s.standsFor(policy)
		}
	}
	if has && (s.inhibitAny > 0 || mayAny) {
		for policy, bits := range s.expected {
			if _, done := next[policy]; !done {
				next[policy] = bits
			}
		}
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// below is 6.1.4 (a), (b) and (h) to (j): what a CA says of those below it.
func (s policyState) below(c *x509.Certificate, selfIssued bool) (policyState, error) {
	mapped, err := s.mapped(c)
	if err != nil {
		return s, err
	}
	s.expected = mapped
	if !selfIssued {
		s.explicit, s.mapping, s.inhibitAny = max(0, s.explicit-1), max(0, s.mapping-1), max(0, s.inhibitAny-1)
	}
	if limit, set := limited(c.RequireExplicitPolicy, c.RequireExplicitPolicyZero); set {
		s.explicit = min(s.explicit, limit)
	}
	if limit, set := limited(c.InhibitPolicyMapping, c.InhibitPolicyMappingZero); set {
		s.mapping = min(s.mapping, limit)
	}
	if limit, set := limited(c.InhibitAnyPolicy, c.InhibitAnyPolicyZero); set {
		s.inhibitAny = min(s.inhibitAny, limit)
	}
	return s, nil
}

// limited reads the two fields in which crypto/x509 keeps a number that may be absent.
func limited(number int, zero bool) (int, bool) { return number, number > 0 || number == 0 && zero }

func (s policyState) mapped(c *x509.Certificate) (map[string]uint64, error) {
	if len(c.PolicyMappings) == 0 {
		return s.expected, nil
	}
	from := make(map[string][]string)
	for _, m := range c.PolicyMappings {
		issuer, subject := m.IssuerDomainPolicy.String(), m.SubjectDomainPolicy.String()
		if issuer == anyPolicy || subject == anyPolicy {
			return nil, decision.Denyf(decision.PathInvalid, describe(c), "its policyMappings map anyPolicy")
		}
		from[issuer] = append(from[issuer], subject)
	}
	next := make(map[string]uint64, len(s.expected))
	for policy, bits := range s.expected {
		if from[policy] == nil {
			next[policy] |= bits
		}
	}
	if s.mapping > 0 {
		s.follow(from, next)
	}
	if len(next) == 0 {
		return nil, nil
	}
	return next, nil
}

func (s policyState) follow(from map[string][]string, next map[string]uint64) {
	_, anything := s.expected[anyPolicy]
	for issuer, subjects := range from {
		bits, has := s.expected[issuer]
		if !has && !anything {
			continue
		}
		if !has {
			bits = s.standsFor(issuer)
		}
		for _, subject := range subjects {
			next[subject] |= bits
		}
	}
}

// accept is 6.1.5 (a), (b) and (g), after the last certificate was entered.
func (s policyState) accept(leaf *x509.Certificate) error {
	explicit := max(0, s.explicit-1)
	if limit, set := limited(leaf.RequireExplicitPolicy, leaf.RequireExplicitPolicyZero); set && limit == 0 {
		explicit = 0
	}
	if explicit > 0 {
		return nil
	}
	var reached uint64
	for _, bits := range s.expected {
		reached |= bits
	}
	if reached == 0 {
		return decision.Denyf(decision.PathInvalid, describe(leaf), "no certificate policy that is asked for leads to it")
	}
	return nil
}
