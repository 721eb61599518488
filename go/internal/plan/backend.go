package plan

import (
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Backend is what follows from a way in which ranks reach each other. The zero Backend, of a
// value that is not known here, promises nothing and needs nothing.
type Backend struct {
	// Hidden: for tests; no flag offers it.
	Hidden bool
	// OneHost: all ranks are on one host, whichever launchers started them.
	OneHost bool
	// Calibrated: what a calibration measures is what limits it.
	Calibrated bool
	// NIXL: ranks load NIXL.
	NIXL bool
	// Networked: messages go as they do between hosts, on one host too.
	Networked bool

	cpu, gpu Way
}

// A Way is how a backend brings rows into the memory of peers on one kind of device.
type Way struct {
	// Mapped: within a host, a rank stores to it directly. Else it has an image of it, which is sent.
	Mapped bool
	// NICs: each rank uses some of its host's.
	NICs bool
	// CopiesAtOnce: ranks of one host copy from process to process, if the library has a module for it.
	CopiesAtOnce bool
}

// backends is all that is known of them: nothing else compares a backend.
var backends = map[epperfv1.NvlinkBackend]Backend{
	epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC: {
		OneHost:    true,
		Calibrated: true,
		cpu:        Way{Mapped: true},
		gpu:        Way{Mapped: true},
	},
	epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL: {
		NIXL: true,
		cpu:  Way{Mapped: true},
		gpu:  Way{Mapped: true, NICs: true},
	},
	epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE: {
		NIXL:      true,
		Networked: true,
		gpu:       Way{NICs: true},
	},
	epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY: {
		Hidden: true,
		NIXL:   true,
		cpu:    Way{CopiesAtOnce: true},
		gpu:    Way{NICs: true},
	},
}

// BackendOf returns what follows from the backend of a plan.
func BackendOf(p *epperfv1.Plan) Backend { return BackendFor(p.GetNvlinkBackend()) }

// BackendFor returns what follows from a backend.
func BackendFor(value epperfv1.NvlinkBackend) Backend { return backends[value] }

// BackendNamed returns the backend of a name.
func BackendNamed(name string) Backend {
	value, _ := epperfv1.Parse[epperfv1.NvlinkBackend](name)
	return BackendFor(value)
}

// On returns how it brings rows into the memory of a device's ranks.
func (b Backend) On(device epperfv1.Device) Way {
	if device == epperfv1.Device_DEVICE_CUDA {
		return b.gpu
	}
	return b.cpu
}
