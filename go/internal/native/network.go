package native

/*
#include <stdlib.h>

#include "csrc/abi/ep.h"
*/
import "C"

import (
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// backendOf leaves it to the core to refuse what is none.
func backendOf(backend epperfv1.NvlinkBackend) C.ep_nvlink_backend {
	return C.ep_nvlink_backend(backend)
}

// pathOf returns how ranks reach each other: a backend that cannot does not connect.
func pathOf(device epperfv1.Device, backend epperfv1.NvlinkBackend) epperfv1.Path {
	if plan.BackendFor(backend).On(device).Mapped {
		return epperfv1.Path_PATH_MAPPED
	}
	return epperfv1.Path_PATH_NETWORK
}

// Paths says how this rank reaches each rank, and over which network; nil if over none.
func (e *Engine) Paths() ([]epperfv1.Path, *epperfv1.Network, error) {
	paths := slices.Repeat([]epperfv1.Path{pathOf(e.device, e.backend)}, int(e.of.GetRanks()))
	paths[e.rank] = epperfv1.Path_PATH_OWN
	if !plan.BackendFor(e.backend).Network {
		return paths, nil, nil
	}
	var network C.ep_network
	if err := e.failed(C.ep_describe_network(e.engine, &network)); err != nil {
		return nil, nil, err
	}
	return paths, &epperfv1.Network{
		UcxVersion:  C.GoString(&network.ucx_version[0]),
		Modules:     lines(&network.modules[0]),
		Transports:  lines(&network.transports[0]),
		Environment: lines(&network.environment[0]),
	}, nil
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
