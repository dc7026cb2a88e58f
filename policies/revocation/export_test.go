package revocation

import "context"

// CheckAddress is what is asked on every dial.
var CheckAddress = checkAddress

// CheckRedirect is what is asked on every redirect.
var CheckRedirect = checkRedirect

// Control is asked on every dial, before CheckAddress.
var Control = control

// Wants reports whether a location is kept fresh for the owner.
func (f *Fetcher) Wants(owner string, l Location) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owners[owner] == nil {
		return false
	}
	_, wanted := f.owners[owner].wishes[l.key()]
	return wanted
}

// Strangers is how many keys the list remembers not to be signed with.
func (c *CRL) Strangers() int { return len(c.signature.strangers) }

// Reading takes the place of a list that is read, until the function is called.
func (f *Fetcher) Reading(ctx context.Context) func() { return f.slots.read(ctx) }
