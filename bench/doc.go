// Package bench guards the hot path: end-to-end benchmarks of package mls beside
// their floors, and gates on what a message may allocate.
//
// A floor is the same work done bare: the primitives of the same backend, called
// in order on one preallocated buffer, with keys parsed and HMAC states shared,
// in one goroutine. What the engine adds is the ratio of the two, taken from one
// run (make bench); absolute times move with the machine.
//
// One axis moves at a time from the centre: suite 1, 256 bytes, 2 members.
package bench
