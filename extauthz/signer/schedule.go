package signer

import "time"

// Rotation says when keys follow each other. The zero value never makes a new
// one, and keeps an old one for no longer than it signs.
type Rotation struct {
	// PublishAhead is how long a new key is published before it signs, and an
	// old one after its last token has expired.
	PublishAhead time.Duration
	// Every is how long a key signs before the schedule has another take over;
	// 0 is for ever.
	Every time.Duration
	// LongestLife is the longest life of a token.
	LongestLife time.Duration
}

// Standing is what a key is for at some time.
type Standing string

// The standings. All of these keys are in the JWKS.
const (
	// Waiting: verifiers may learn of it; it signs later.
	Waiting Standing = "waiting"
	// Signing: new tokens are signed with it.
	Signing Standing = "signing"
	// Published: tokens that it signed may still be in use.
	Published Standing = "published"
)

// Stand is a key and its standing. Until is when a [Published] key is removed,
// and zero with any other.
type Stand struct {
	Key      Key
	Standing Standing
	Until    time.Time
}

// Stands returns all keys in the order of [Keys.All] with what they are for.
func (r Rotation) Stands(keys *Keys, at time.Time) []Stand {
	signing, err := keys.Signing(at)
	all := keys.All()
	stands := make([]Stand, len(all))
	for i, key := range all {
		stands[i] = Stand{Key: key, Standing: Published}
		switch {
		case key.SignsFrom().After(at):
			stands[i].Standing = Waiting
		case err == nil && key.KID() == signing.KID():
			stands[i].Standing = Signing
		default:
			stands[i].Until = r.until(all[i+1])
		}
	}
	return stands
}

// until is when a key can go whose successor is given: it signed until that
// one's turn, its last token lived for LongestLife, and whoever has a set that
// was read before has dropped it after PublishAhead.
func (r Rotation) until(successor Key) time.Time {
	return successor.SignsFrom().Add(r.LongestLife + r.PublishAhead)
}

// retired returns the keys whose time is over, the oldest first. None of them is
// the one that signs or waits. Taking away the oldest does not change how long
// the others stay.
func (r Rotation) retired(keys *Keys, at time.Time) []Key {
	var over []Key
	for _, stand := range r.Stands(keys, at) {
		if stand.Standing == Published && !at.Before(stand.Until) {
			over = append(over, stand.Key)
		}
	}
	return over
}

// waiting returns the first key that does not sign yet.
func waiting(keys *Keys, at time.Time) (Key, bool) {
	for _, key := range keys.All() {
		if key.SignsFrom().After(at) {
			return key, true
		}
	}
	return nil, false
}

// next returns when the key that has to be made now will sign, if one has to be.
// It is PublishAhead away at least, however late the schedule is looked at.
func (r Rotation) next(keys *Keys, at time.Time) (time.Time, bool) {
	signing, err := keys.Signing(at)
	if _, waits := waiting(keys, at); r.Every <= 0 || err != nil || waits {
		return time.Time{}, false
	}
	turn := signing.SignsFrom().Add(r.Every)
	if at.Before(turn.Add(-r.PublishAhead)) {
		return time.Time{}, false
	}
	if earliest := r.earliest(at); turn.Before(earliest) {
		turn = earliest
	}
	return turn.UTC(), true
}

// earliest is when a key may sign that is published at the given time, in whole
// seconds as files have it, rounded up.
func (r Rotation) earliest(at time.Time) time.Time {
	return at.UTC().Add(r.PublishAhead + time.Second - 1).Truncate(time.Second)
}

// due reports whether the schedule has something to do.
func (r Rotation) due(keys *Keys, at time.Time) bool {
	_, make := r.next(keys, at)
	return make || len(r.retired(keys, at)) > 0
}

// Fits reports whether a schedule of Every keeps within [MaxKeys]: keys stay
// for a while after they have signed.
func (r Rotation) Fits() bool {
	if r.Every <= 0 {
		return true
	}
	return (r.LongestLife+2*r.PublishAhead)/r.Every+2 < MaxKeys
}
