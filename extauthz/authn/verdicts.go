package authn

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
	"weak"

	"github.com/maypok86/otter/v2"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
)

const (
	// maxVerdictBytes bounds the memory of what one Authenticator keeps: about 60,000
	// verdicts of clients that ask nothing of revocation.
	maxVerdictBytes = 32 << 20
	// verdictBytes is what one takes, its place in the cache included, without what
	// hangs on it.
	verdictBytes = 512
	// nameBytes is what a name takes besides its text.
	nameBytes = 16
	// unknownHolds is how long a verdict holds in soft mode of whose revocation nobody
	// knows: whoever asks the locations has to hear now and then that the certificate
	// still comes, or it is let go, and nobody is asked about it any more.
	unknownHolds = time.Minute
)

// verdicts keep what was accepted, so that the same certificate is not judged again
// for each request. Refusals are not kept: they are rare, or an attack, and what
// refuses may be mended at any moment.
//
// A verdict needs no message to end. It holds while
//
//   - the clients are those of the same Snapshot: any change of any document ends it;
//   - the time is not before it was made, and before its Until: a clock that was set
//     back ends it too; and where it is unknown what was revoked, not for long;
//   - of each CA of its path the View has the very lists and answers that it was made
//     by: a list that arrives ends the verdicts of that CA alone.
//
// It keeps none of that in memory, nor any certificate.
type verdicts struct {
	cache *otter.Cache[verdictKey, *verdict]
}

// verdictKey is a hash of all that resolving and judging depend on besides the State
// and the time. It is a cryptographic one: who finds two inputs with one key would
// have another client's verdict.
type verdictKey [sha256.Size]byte

type verdict struct {
	clients  weak.Pointer[policies.Snapshot]
	client   weak.Pointer[policies.Client] // lives as long as its Snapshot
	accepted policies.Accepted             // without its certificates
	made     time.Time                     // as the clock had it: by how long it runs, it is never set back
	until    time.Time
}

func newVerdicts(most uint64) *verdicts {
	return &verdicts{cache: otter.Must(&otter.Options[verdictKey, *verdict]{
		MaximumWeight: most,
		Weigher:       func(_ verdictKey, v *verdict) uint32 { return v.weight() },
	})}
}

func (v *verdict) weight() uint32 {
	weight := verdictBytes + v.accepted.Revocation.Stamp.Size()
	for _, missing := range v.accepted.Revocation.Missing {
		weight += verdictBytes + len(missing.Error())
	}
	for _, name := range v.accepted.Names {
		weight += len(name) + nameBytes
	}
	return uint32(weight)
}

// keyOf puts each part behind its length, so that no two different inputs are the
// same text. The leaf stands for itself by its thumbprint, which is a SHA-256 of it.
func keyOf(evidence peercert.Evidence, hint policies.Hint) verdictKey {
	sum := sha256.New()
	sum.Write(evidence.Thumbprint[:])
	var space [binary.MaxVarintLen64]byte
	sum.Write(binary.AppendUvarint(space[:0], uint64(len(evidence.Intermediates))))
	for _, intermediate := range evidence.Intermediates {
		writePart(sum, intermediate.Raw)
	}
	for _, name := range [...]string{hint.Route, hint.Parameter, hint.Token} {
		writePart(sum, []byte(name))
	}
	var key verdictKey
	sum.Sum(key[:0])
	return key
}

func writePart(sum hash.Hash, part []byte) {
	var space [binary.MaxVarintLen64]byte
	sum.Write(binary.AppendUvarint(space[:0], uint64(len(part))))
	sum.Write(part)
}

// find returns the verdict if it holds by the State at the given time.
func (v *verdicts) find(key verdictKey, st *state.State, at time.Time) (Identity, bool) {
	kept, found := v.cache.GetIfPresent(key)
	if !found || !kept.holds(st, at) {
		return Identity{}, false
	}
	client := kept.client.Value()
	if client == nil {
		return Identity{}, false
	}
	return Identity{Client: client, Accepted: kept.accepted, Kept: true}, true
}

// holds is never true of a Snapshot that is gone from memory: st has one.
func (v *verdict) holds(st *state.State, at time.Time) bool {
	return v.clients.Value() == st.Clients && !at.Before(v.made) && at.Before(v.until) &&
		st.CRLs.Holds(v.accepted.Revocation.Stamp)
}

// keep takes what was accepted by the State at the given time, in the place of what
// there was.
func (v *verdicts) keep(key verdictKey, id Identity, st *state.State, at time.Time) {
	kept := &verdict{clients: weak.Make(st.Clients), client: weak.Make(id.Client), accepted: id.Accepted, made: at.Round(0), until: id.Accepted.Until}
	if end := at.Add(unknownHolds); len(id.Accepted.Revocation.Missing) > 0 && end.Before(kept.until) {
		kept.until = end
	}
	kept.accepted.Path, kept.accepted.Asked = nil, nil
	v.cache.Set(key, kept)
}
