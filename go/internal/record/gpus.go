package record

import (
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// addGPUs counts GPUs. One that several launchers of a machine name is one GPU.
func (s *Summary) addGPUs(header *epperfv1.Header) {
	if header.GetPlan().GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return
	}
	s.SharedGPU = header.GetPlan().GetSharedGpu()
	ranks, gpus := map[identity]int{}, map[identity]map[string]bool{}
	for _, host := range header.GetHosts() {
		at := machineOf(host)
		ranks[at] += int(header.GetPlan().GetRanksPerHost())
		if gpus[at] == nil {
			gpus[at] = map[string]bool{}
		}
		for _, gpu := range host.GetGpus() {
			if !gpus[at][gpu.GetUuid()] {
				gpus[at][gpu.GetUuid()] = true
				s.countGPU(gpu.GetName())
			}
		}
	}
	for at, used := range gpus {
		s.SharedGPU = s.SharedGPU || len(used) > 0 && ranks[at] > len(used)
	}
	s.Oversubscribed = s.SharedGPU
}

func (s *Summary) countGPU(name string) {
	at := slices.IndexFunc(s.GPUs, func(kind GPUKind) bool { return kind.Name == name })
	if at < 0 {
		at = len(s.GPUs)
		s.GPUs = append(s.GPUs, GPUKind{Name: name})
	}
	s.GPUs[at].Count++
}
