package native

/*
#include <stdlib.h>

#include "csrc/abi/ep.h"
*/
import "C"

import (
	"strings"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// backendOf leaves it to the core to refuse what is none.
func backendOf(backend epperfv1.NvlinkBackend) C.ep_nvlink_backend {
	return C.ep_nvlink_backend(backend)
}

// Paths says how this rank reaches each rank, and over which network, with what has gone over it by now; nil if
// it has none.
func (e *Engine) Paths() ([]epperfv1.Path, *epperfv1.Network, error) {
	reached := make([]C.ep_reached, e.of.GetRanks())
	var network C.ep_network
	if err := e.failed(C.ep_reach(e.engine, &reached[0], &network)); err != nil {
		return nil, nil, err
	}
	paths := make([]epperfv1.Path, len(reached))
	for peer := range reached {
		paths[peer] = epperfv1.Path(reached[peer].path)
	}
	if network.exists == 0 {
		return paths, nil, nil
	}
	described := &epperfv1.Network{
		UcxVersion:  C.GoString(&network.version[0]),
		Modules:     lines(&network.modules[0]),
		Transports:  lines(&network.transports[0]),
		Environment: lines(&network.environment[0]),
		ProxyCpus:   C.GoString(&network.proxy_cpus[0]),
	}
	if network.steps > 0 {
		described.Sent = &epperfv1.Sent{
			Messages: uint64(network.messages), Bytes: uint64(network.bytes),
			SlowestNs: uint64(network.slowest_ns), Steps: uint64(network.steps),
		}
	}
	if network.has_gpu_direct != 0 {
		described.GpuDirect = &epperfv1.GpuDirect{
			Supported: network.supported != 0, WritesOrdering: uint32(network.writes_ordering),
			FlushOptions: uint32(network.flush_options), CoherentHost: network.coherent_host != 0,
			Flushes: network.flushes != 0,
		}
	}
	for peer, path := range paths {
		if path == epperfv1.Path_PATH_OWN {
			continue
		}
		of := &reached[peer]
		described.Peers = append(described.Peers, &epperfv1.PeerNetwork{
			Rank: uint32(peer), Path: path, Why: C.GoString(&of.why[0]),
			ProbeSmallNs: uint64(of.probe_small_ns), ProbeNs: uint64(of.probe_ns), ProbeBytes: uint64(of.probe_bytes),
		})
	}
	return paths, described, nil
}

// lines splits a list of the core's.
func lines(text *C.char) []string {
	return strings.FieldsFunc(C.GoString(text), func(r rune) bool { return r == '\n' })
}

// optional copies text into C, nothing as null; free it.
func optional(text string) *C.char {
	if text == "" {
		return nil
	}
	return C.CString(text)
}
