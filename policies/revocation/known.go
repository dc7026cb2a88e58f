package revocation

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxKinds bounds the lists for different certificates, or of different keys, that
// one location may have had.
const maxKinds = 16

// known is what a location had, proven to be of its issuer.
type known struct {
	crl    *CRL
	answer *Answer
	der    []byte // dropped once kept on disk
	size   int64
}

func (k known) isZero() bool { return k.crl == nil && k.answer == nil }

func (k known) times() (this, next time.Time) {
	if k.crl != nil {
		return k.crl.ThisUpdate, k.crl.NextUpdate
	}
	return k.answer.ThisUpdate, k.answer.NextUpdate
}

func (k known) id() [sha256.Size]byte {
	if k.crl != nil {
		return k.crl.ID
	}
	return k.answer.ID
}

// kind is the same for two lists of one key that speak for the same certificates.
// All answers about a certificate are of one.
func (k known) kind() [sha256.Size]byte {
	if k.crl == nil {
		return [sha256.Size]byte{}
	}
	s, sum := k.crl.scope, sha256.New()
	fmt.Fprintf(sum, "%x %x %t %t %t %t %t %t %x", k.crl.signature.key(), k.crl.name, k.crl.Delta,
		s.onlyUsers, s.onlyCAs, s.onlyAttributes, s.indirect, s.pointed, uint16(s.reasons))
	for _, name := range s.points {
		fmt.Fprintf(sum, " %x", name)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// covers reports whether the list has the place of any other of its key.
func (k known) covers(other known) bool {
	return k.crl != nil && other.crl != nil && !k.crl.Partial() && !k.crl.Delta && !k.crl.Indirect() &&
		k.crl.name == other.crl.name && k.crl.signature.key() == other.crl.signature.key()
}

// follows reports whether next, of the same kind, may take the place of what is
// known: it is not older. Otherwise whoever stands between could put back a list of
// before a revocation.
func (k known) follows(next known) error {
	this, _ := k.times()
	newThis, _ := next.times()
	switch {
	case newThis.Before(this):
		return fmt.Errorf("it is of %s, older than the one of %s that is known", newThis.UTC().Format(time.RFC3339), this.UTC().Format(time.RFC3339))
	case !newThis.Equal(this):
		return nil
	case k.crl == nil && k.answer.Revoked && !next.answer.Revoked:
		return errors.New("it is of the same time as the one that is known, which revokes")
	case k.crl != nil && next.crl.Number.Cmp(k.crl.Number) < 0:
		return fmt.Errorf("it is number %s, lower than the %s that is known", next.crl.Number, k.crl.Number)
	}
	return nil
}

// knowledge is what a location had: of each kind the newest, what it answered last
// at the end. A list gives way only to one of its kind: what is on it stays revoked
// though the location has another for other certificates now.
type knowledge []known

func (k knowledge) last() known {
	if len(k) == 0 {
		return known{}
	}
	return k[len(k)-1]
}

func (k knowledge) has(one known) bool {
	return slices.ContainsFunc(k, func(other known) bool { return other.id() == one.id() })
}

func (k knowledge) size() (sum int64) {
	for _, one := range k {
		sum += one.size
	}
	return sum
}

// with returns what is known after next was answered, and what gave way to it.
func (k knowledge) with(next known) (after, gone knowledge, err error) {
	kind := next.kind()
	for _, one := range k {
		switch {
		case one.id() == next.id():
			next = one
		case one.kind() == kind:
			if err := one.follows(next); err != nil {
				return k, nil, err
			}
			gone = append(gone, one)
		case next.covers(one) && one.follows(next) == nil:
			gone = append(gone, one)
		default:
			after = append(after, one)
		}
	}
	if len(after) >= maxKinds {
		return k, nil, fmt.Errorf("it is for other certificates than %d that are known", maxKinds)
	}
	return append(after, next), gone, nil
}

// odd says whether what was answered last is for other certificates than what is
// known and still counts.
func (k knowledge) odd(at time.Time) error {
	if slices.ContainsFunc(k[:len(k)-1], func(one known) bool { _, end := one.times(); return at.Before(end) }) {
		return errors.New("it is for other certificates than the one that is known, which still counts")
	}
	return nil
}
