package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

// hints are the ends of sentences that the core begins: what a user may try, by perf's flags.
var hints = [...]string{
	C.EP_HINT_WAIT_LONGER:     " --wait-timeout allows more",
	C.EP_HINT_USE_BF16:        "; use --dtype=bf16",
	C.EP_HINT_USE_CPUS:        "; try --device=cpu",
	C.EP_HINT_USE_GPUS:        "; use --device=cuda",
	C.EP_HINT_FEWER_EXPERTS:   "; try fewer --experts-per-rank or --device=cpu",
	C.EP_HINT_FEWER_SMS:       "; try fewer --sms",
	C.EP_HINT_INSTALL_DRIVER:  " (this host has no NVIDIA driver of version 580 or newer: try --device=cpu)",
	C.EP_HINT_SHOW_GPUS:       " (this process sees no GPU: look at CUDA_VISIBLE_DEVICES, or try --device=cpu)",
	C.EP_HINT_USE_IPC:         "; try --nvlink-backend=ipc",
	C.EP_HINT_USE_IPC_OR_NONE: ": try --nvlink-backend=ipc, or none, whose messages hosts post",
	C.EP_HINT_USE_NIXL:        ": try --nvlink-backend=nixl, or fewer ranks",
	C.EP_HINT_INSTALL_NIXL: " NIXL comes with `pip install nixl-cu13`: name the folder it was installed in (site-packages) " +
		"with --nixl-root or EPPERF_NIXL_ROOT",
	C.EP_HINT_OTHER_NIXL: ": try --nixl-root with NIXL 1.5",
	C.EP_HINT_WHOLE_NIXL: "; is --nixl-root a whole NIXL, and is the driver's libcuda.so.1 where it is looked for?",
	C.EP_HINT_SHARE_PIDS: "; start all ranks of a host in one PID namespace (containers: --pid=host), or try --nvlink-backend=nixl",
}

// A hint without a sentence does not compile.
var _ [C.EP_HINTS]string = hints

// errorOf returns what the core says of a failure, and what to try.
func errorOf(status C.ep_status, failure *C.ep_failure) *Error {
	return &Error{Kind: Kind(status), Text: C.GoString(&failure.text[0]) + hints[failure.hint], NoDriver: failure.hint == C.EP_HINT_INSTALL_DRIVER}
}
