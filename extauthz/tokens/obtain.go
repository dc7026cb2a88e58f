package tokens

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"reflect"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// mintTimeout ends a mint whose key is remote and does not answer. Callers have
// their own, earlier end; this one keeps the work from staying for ever.
const mintTimeout = 10 * time.Second

// Token returns a token for the request: the cached one, or a new one. hit says
// that it was cached.
//
// A cached token serves if it is not due for renewal at request.At, ends no
// later than request.NotAfter, and rests on the same client record and on a key
// that the basis still publishes. Callers that need the same new token at the
// same time share one mint; it does not end with the context of any of them.
//
// It denies with [decision.SigningKeyMissing] without a key that signs, with
// [decision.CertificateExpired] where NotAfter leaves no second, and with
// [decision.DeadlineExceeded] if ctx ends first. Other errors are no Denial; a
// key that panics is a [*PanicError].
func (c *Cache) Token(ctx context.Context, request Request, basis Basis) (token Token, hit bool, err error) {
	if !isIdentity(basis.Proof) {
		return Token{}, false, errors.New("tokens: the proof is not a pointer to a client record")
	}
	s := c.shardOf(request.ClientID)
	key := cacheKey(&request)
	if e, ok := s.lookup(key, &request, &basis); ok {
		s.hits.Add(1)
		return e.token, true, nil
	}
	s.misses.Add(1)
	e, err := c.share(ctx, s, key, request, basis)
	if err != nil {
		return Token{}, false, err
	}
	return e.token, false, nil
}

// isIdentity reports whether two proofs are equal only if they are the same
// record. Two nil pointers, or two equal values, would prove nothing.
func isIdentity(proof any) bool {
	value := reflect.ValueOf(proof)
	return value.Kind() == reflect.Pointer && !value.IsNil()
}

// share waits for the mint of whoever asked first. A token that was begun for
// another record or time does not serve; the request then mints for itself.
func (c *Cache) share(ctx context.Context, s *shard, key string, request Request, basis Basis) (*entry, error) {
	e, err := c.fly(ctx, flightKey(key, &request, &basis), s, key, request, basis)
	if err != nil || e.servesNow(&request) && e.restsOn(&basis) {
		return e, err
	}
	return c.fly(ctx, key+rand.Text(), s, key, request, basis)
}

// flightKey keeps requests of different states apart: after a change, nobody
// waits for a token that was begun before it. It also keeps apart those whose
// tokens have different ends.
func flightKey(key string, r *Request, b *Basis) string {
	suffix := binary.BigEndian.AppendUint64(nil, b.Generation)
	suffix = binary.BigEndian.AppendUint64(suffix, uint64(r.NotAfter.Unix()))
	return key + string(suffix)
}

// fly mints apart from ctx, for others may wait for the same, and waits with it.
func (c *Cache) fly(ctx context.Context, flight string, s *shard, key string, request Request, basis Basis) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, decision.Deny(decision.DeadlineExceeded, "token", err)
	}
	landed := c.flights.DoChan(flight, func() (any, error) {
		// Between the caller's look-up and this flight another may have landed.
		if e, ok := s.lookup(key, &request, &basis); ok {
			return e, nil
		}
		return guard(func() (*entry, error) { return s.mint(context.WithoutCancel(ctx), key, request, basis) })
	})
	select {
	case <-ctx.Done():
		return nil, decision.Deny(decision.DeadlineExceeded, "token", ctx.Err())
	case result := <-landed:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*entry), nil
	}
}

func (s *shard) mint(ctx context.Context, key string, request Request, basis Basis) (*entry, error) {
	ctx, cancel := context.WithTimeout(ctx, mintTimeout)
	defer cancel()
	token, kid, err := MintWith(ctx, basis.Keys, request)
	if err != nil {
		return nil, err
	}
	s.mints.Add(1)
	e := &entry{key: key, clientID: request.ClientID, token: token, kid: kid, proof: basis.Proof}
	e.generation.Store(basis.Generation)
	s.put(e)
	return e, nil
}
