package tokens

// Bound has the file remember no more than most revocations: as many as it may take
// long to write.
func (r *Revocations) Bound(most int) { r.most = most }
