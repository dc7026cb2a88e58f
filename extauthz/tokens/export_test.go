package tokens

// Bound has the file remember no more than most revocations, and mostOfOne of one
// client: as many as it may take long to write.
func (r *Revocations) Bound(most, mostOfOne int) { r.most, r.mostOfOne = most, mostOfOne }
