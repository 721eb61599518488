package plan

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// validateNics returns a *UsageError for ranks that have no such choice.
func validateNics(p *epperfv1.Plan) error {
	if err := known("nic-memory", epperfv1.NicMemoryOf(p)); err != nil {
		return err
	}
	if err := known("gpu-flush", epperfv1.GpuFlushOf(p)); err != nil {
		return err
	}
	for _, choice := range []struct {
		flag  string
		value protoreflect.Enum
	}{
		{"nic-memory", epperfv1.NicMemoryOf(p)},
		{"gpu-flush", epperfv1.GpuFlushOf(p)},
	} {
		if choice.value.Number() == 1 {
			continue // the usual
		}
		unless := argument(choice.flag, epperfv1.Name(choice.value.Type().New(1)))
		if p.GetDevice() != epperfv1.Device_DEVICE_CUDA {
			return &UsageError{choice.flag, epperfv1.Name(choice.value), "ranks on CPUs have no other memory than their host's", unless}
		}
		if !BackendOf(p).NIXL {
			return &UsageError{
				choice.flag, epperfv1.Name(choice.value),
				"backend " + epperfv1.Name(p.GetNvlinkBackend()) + " maps all peers and sends no messages", unless,
			}
		}
	}
	if epperfv1.GpuFlushOf(p) == epperfv1.GpuFlush_GPU_FLUSH_ALWAYS && epperfv1.NicMemoryOf(p) == epperfv1.NicMemory_NIC_MEMORY_HOST {
		return &UsageError{"gpu-flush", "always", "with --nic-memory=host nothing arrives in a GPU's memory", argument("gpu-flush", "auto")}
	}
	return nil
}
