package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

import "syscall"

// Ignored reports whether a signal was ignored when this program was started. Go's os/signal knows it
// of SIGHUP and SIGINT alone.
func Ignored(signal syscall.Signal) bool {
	return uint64(C.ep_ignored_signals())>>uint(signal)&1 != 0
}
