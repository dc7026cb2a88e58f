package revocation

import (
	"errors"
	"fmt"
	"time"
)

const (
	// MaxLocations is how many locations a client may have.
	MaxLocations = 16
	// maxQuestions bounds the OCSP questions of a client, one for each certificate
	// that came.
	maxQuestions = 1000
	// maxSources bounds what is kept fresh for all clients, and maxAllQuestions the OCSP
	// questions among it: whoever has many certificates must not keep the lists of others
	// from being asked for.
	maxSources      = 10_000
	maxAllQuestions = 8_000
	// DefaultQuota bounds the bytes of what is known, in memory and on disk.
	DefaultQuota = 1 << 30
	// quotaShare is the part of the quota that one owner may fill with more than one
	// location.
	quotaShare = 4
)

func tooManyLocations() error { return fmt.Errorf("more than %d locations", MaxLocations) }
func tooManyQuestions() error {
	return fmt.Errorf("more than %d certificates to ask about", maxQuestions)
}

func checkCount(wanted map[string]wish) error {
	urls := make(map[string]bool)
	for _, l := range wanted {
		urls[l.URL] = true
	}
	if len(urls) > MaxLocations {
		return tooManyLocations()
	}
	if len(wanted) > MaxLocations+maxQuestions {
		return tooManyQuestions()
	}
	return nil
}

// fits says whether the owner may have one more location, without another of its
// own; "" is none.
func (o *owner) fits(l Location, without string) error {
	urls, wishes := len(o.urls), len(o.wishes)
	if o.urls[l.URL] == 0 {
		urls++
	}
	if w, has := o.wishes[without]; has {
		wishes--
		if w.URL != l.URL && o.urls[w.URL] == 1 {
			urls--
		}
	}
	switch {
	case urls > MaxLocations:
		return tooManyLocations()
	case wishes+1 > MaxLocations+maxQuestions:
		return tooManyQuestions()
	}
	return nil
}

// makeOwnRoom has a question of the owner make room for one more location, if there is
// none. It is called with the lock held, as what follows.
func (f *Fetcher) makeOwnRoom(name string, o *owner, l Location, now time.Time) error {
	err := o.fits(l, "")
	if err == nil {
		return nil
	}
	leaving := f.oldest(o.wishes, now)
	if leaving == "" {
		return err
	}
	if err := o.fits(l, leaving); err != nil {
		return err
	}
	f.unwish(name, leaving)
	return nil
}

// makeRoomFor has questions make room for what an owner wants, beside all that is kept
// fresh: those of whoever has the most. It takes them out of what is wanted too.
func (f *Fetcher) makeRoomFor(name string, wanted map[string]wish) error {
	for {
		err := f.checkAll(wanted)
		if err == nil {
			return nil
		}
		crowd := f.mostQuestions()
		if o := f.owners[name]; o != nil && o.questions > 0 && (crowd == "" || o.questions >= f.owners[crowd].questions) {
			crowd = name
		}
		if crowd == "" {
			return err
		}
		leaving := f.oldest(f.owners[crowd].wishes, time.Now())
		f.unwish(crowd, leaving)
		if crowd == name {
			delete(wanted, leaving)
		}
	}
}

// count keeps account of the questions of an owner.
func (f *Fetcher) count(name string, o *owner, more int) {
	if more == 0 {
		return
	}
	if delete(f.crowds[o.questions], name); len(f.crowds[o.questions]) == 0 {
		delete(f.crowds, o.questions)
	}
	if o.questions += more; o.questions == 0 {
		return
	}
	if f.crowds[o.questions] == nil {
		f.crowds[o.questions] = make(map[string]bool)
	}
	f.crowds[o.questions][name] = true
}

// mostQuestions returns who has the most, "" for nobody.
func (f *Fetcher) mostQuestions() string {
	for n := MaxLocations + maxQuestions; n > 0; n-- {
		for name := range f.crowds[n] {
			return name
		}
	}
	return ""
}

// oldest returns the question that an owner can do without the easiest: about a
// certificate that has expired, else the one that came up last the longest time
// ago, and one about what is revoked only if there are no others. "" is none.
func (f *Fetcher) oldest(wanted map[string]wish, at time.Time) string {
	found, rank := "", 0
	for key, w := range wanted {
		if !w.question() {
			continue
		}
		r := 1
		if answer := f.sources[key].known.last().answer; answer == nil || !answer.Revoked {
			r = 2
		}
		if at.After(w.Certificate.NotAfter) {
			r = 3
		}
		if r > rank || r == rank && w.asked.Before(wanted[found].asked) {
			found, rank = key, r
		}
	}
	return found
}

// checkAll says whether there is room for what is wanted beside all that is kept fresh.
func (f *Fetcher) checkAll(wanted map[string]wish) error {
	sources, asking := len(f.sources), f.asking
	for key, w := range wanted {
		if f.sources[key] != nil {
			continue
		}
		sources++
		if w.Certificate != nil {
			asking++
		}
	}
	switch {
	case asking > maxAllQuestions:
		return fmt.Errorf("all clients together have more than %d certificates to ask about", maxAllQuestions)
	case sources > maxSources:
		return fmt.Errorf("all clients together have more than %d locations and certificates to ask about", maxSources)
	}
	return nil
}

// hasRoom asks whether the source may have so many bytes. Beside the quota of all, an
// owner has a share of it for all but one of its locations: who signs lists must not
// be able to fill the place of others'.
func (f *Fetcher) hasRoom(s *source, size int64) error {
	before := s.known.size()
	if f.held+f.left.size-before+size > f.options.Quota {
		return errors.New("the quota of what may be known is used up")
	}
	for name := range s.owners {
		others := f.owners[name].used - before
		if others == 0 || others+size <= f.options.Quota/quotaShare {
			return nil
		}
	}
	return fmt.Errorf("all of its clients have more than 1/%d of the quota", quotaShare)
}
