package revocations

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Learn implements authn.Revocations: it has the locations of the path asked that the
// client believes, and waits for those that are asked for the first time, no longer
// than the configuration says.
//
// What is allowed is what the newest document says, which may be newer than the one
// that the request is judged by.
func (k *Keeper) Learn(ctx context.Context, of *policies.Client, path truststore.Path) *revocation.View {
	waiting, until, done := k.ask(of, path, time.Now())
	if len(waiting) > 0 {
		defer done()
		ctx, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		_ = k.fetcher.Await(ctx, of.ID(), waiting...) // what came until then counts
	}
	return k.view.Load()
}

// ask returns what is worth to be waited for, and until when; with something to wait
// for, done says that it is over.
func (k *Keeper) ask(of *policies.Client, path truststore.Path, now time.Time) (waiting []revocation.Location, until time.Time, done func()) {
	before := k.client(of)
	found := before.locationsOf(path) // which takes a while, and so without the lock
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.clients[of.ID()]
	if c == nil {
		return nil, now, nil
	}
	if before == nil || c.record != before.record { // its document has just changed
		found = c.locationsOf(path)
	}
	if now.Before(c.patience) { // its document has just come
		waiting, until = slices.Clone(c.base), c.patience
	}
	for i, location := range found.locations {
		a := k.askOne(c, location, found.questions[i], now)
		if a == nil || !now.Before(a.patience) {
			continue
		}
		waiting = append(waiting, a.location)
		if a.patience.After(until) {
			until = a.patience
		}
	}
	if len(waiting) == 0 || !k.mayWait(c) {
		return nil, now, nil
	}
	return waiting, until, func() { k.endWait(c) }
}

func (k *Keeper) client(of *policies.Client) *client {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.clients[of.ID()]
}

// foundLocations are those of a path that a client believes, and what they are asked.
type foundLocations struct {
	locations []revocation.Location
	questions []question
}

// locationsOf looks at nothing of the client that changes.
func (c *client) locationsOf(path truststore.Path) (found foundLocations) {
	if c == nil {
		return found
	}
	hashes := make(certificateHashes)
	found.locations = revocation.LocationsOf(path, storedBy(c.record, hashes), c.asks.Hosts)
	for _, location := range found.locations {
		found.questions = append(found.questions, hashes.question(location))
	}
	return found
}

// mayWait counts one who waits, unless there are as many as may be: who waits has the
// place of a request, and a responder that stalls, with a client of many certificates,
// must not take those of everybody. It is called with the lock held.
func (k *Keeper) mayWait(c *client) bool {
	if k.waiting >= k.config.Waiting || c.waiting >= max(k.config.Waiting/2, 1) {
		return false
	}
	k.waiting, c.waiting = k.waiting+1, c.waiting+1
	return true
}

func (k *Keeper) endWait(c *client) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting, c.waiting = k.waiting-1, c.waiting-1
}

// askOne returns nil for what cannot be asked.
func (k *Keeper) askOne(c *client, location revocation.Location, q question, now time.Time) *asked {
	if c.ahead[q] {
		return nil // asked ahead of requests
	}
	known := c.asked[q]
	if known == nil && len(c.asked) >= maxAsked {
		k.fetcher.Drop(c.record.ID(), c.makeRoom(k.view.Load()).location)
	}
	// What is known is asked for too: where all clients together want too much, the
	// Fetcher lets go of what was not asked for the longest time.
	if err := k.fetcher.Ask(c.record.ID(), location); err != nil {
		if c.fault == "" {
			k.config.Log.Warn("a location of a presented certificate is not asked", "client", c.record.ID(), "location", location.Name(), "problem", err.Error())
		}
		c.fault = err.Error()
		return nil
	}
	if known == nil {
		known = &asked{location: location, patience: now.Add(k.config.Wait)}
		if location.Certificate != nil {
			known.about = revocation.NamesOf(truststore.Path{location.Certificate, location.Issuers[0]})
		}
		c.asked[q] = known
	}
	known.needed = now
	return known
}

// storedBy reports whether the operator put a certificate into the client's store.
func storedBy(record *policies.Client, hashes certificateHashes) func(*x509.Certificate) bool {
	anchors := record.Anchors()
	return func(certificate *x509.Certificate) bool {
		thumbprint := hashes.of(certificate)
		return record.HasPin(thumbprint) || slices.ContainsFunc(anchors, func(a *truststore.Anchor) bool { return a.Thumbprint == thumbprint })
	}
}

// certificateHashes are the SHA-256 of certificates. Many locations are of one, and a
// store may have a large one.
type certificateHashes map[*x509.Certificate][sha256.Size]byte

func (h certificateHashes) of(certificate *x509.Certificate) [sha256.Size]byte {
	sum, known := h[certificate]
	if !known {
		sum = sha256.Sum256(certificate.Raw)
		h[certificate] = sum
	}
	return sum
}

// question is that of a location with one issuer, as presented certificates have
// them.
func (h certificateHashes) question(l revocation.Location) question {
	q := question{url: l.URL, issuer: h.of(l.Issuers[0])}
	if l.Certificate != nil {
		q.about = h.of(l.Certificate)
	}
	return q
}
