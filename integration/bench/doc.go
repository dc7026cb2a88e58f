// Package bench measures the whole server: what a check costs certbearer in CPU,
// beside what it costs a gRPC server that does nothing.
//
// Both run as processes of their own on Unix sockets and get the same requests
// from the same callers, in turns, so that whatever else the machine is doing
// meets both. What counts is user and system time of the server's process as the
// kernel has it: the callers' own work is not in it. The ratio of the two figures
// says more than either, for it depends least on the machine. It does depend on
// the load: fewer callers at once make every server's check dearer, and the two
// more alike.
//
//	go test -run '^$' -bench . ./integration/bench
package bench
