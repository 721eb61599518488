package plan

import (
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const defaultNicMemory = epperfv1.NicMemory_NIC_MEMORY_AUTO

// nicMemory reads --nic-memory. The default is left out of the plan, as those of layouts.
func (o Options) nicMemory() (epperfv1.NicMemory, error) {
	memory, err := parse[epperfv1.NicMemory]("nic-memory", o.NicMemory, Defaults().NicMemory)
	if err != nil || memory == defaultNicMemory {
		return epperfv1.NicMemory_NIC_MEMORY_UNSPECIFIED, err
	}
	return memory, nil
}

// validateNicMemory returns a *UsageError for ranks that have no such choice.
func validateNicMemory(p *epperfv1.Plan) error {
	memory := epperfv1.NicMemoryOf(p)
	if err := known("nic-memory", memory); err != nil {
		return err
	}
	if memory == defaultNicMemory {
		return nil
	}
	unless := argument("nic-memory", epperfv1.Name(defaultNicMemory))
	if p.GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return &UsageError{"nic-memory", epperfv1.Name(memory), "ranks on CPUs have no other memory than their host's", unless}
	}
	if p.GetNvlinkBackend() == epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC {
		return &UsageError{"nic-memory", epperfv1.Name(memory), "backend ipc maps all peers and sends no messages", unless}
	}
	return nil
}
