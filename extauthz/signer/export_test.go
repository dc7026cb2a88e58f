package signer

// Stepping has step called before each change of the file system. A step that
// panics is a process that ends there.
func Stepping(o Options, step func(string)) Options {
	o.step = step
	return o
}
