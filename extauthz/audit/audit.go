// Package audit owns what is left of a decision: one [Record] each, written by a
// [Recorder], and the [Metrics] that count it.
//
// Both are on the way of every request, so neither may hold it up. Writing a
// record copies it into a buffer; a goroutine of the Recorder writes the buffer
// out when it is 100 ms old or has 64 KiB. When the output does not keep up,
// records are dropped, counted, and the output is told how many are missing.
// Counting a decision is an atomic addition without an allocation.
//
// Record fields, metric names and label values are an interface. Nothing here
// takes a token, an Authorization header or a key.
package audit
