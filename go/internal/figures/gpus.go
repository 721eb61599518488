package figures

import (
	"slices"

	"github.com/epperf/epperf/go/internal/host"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// addGPUs counts GPUs. One that several launchers of a machine name is one GPU.
func (s *Summary) addGPUs(header *epperfv1.Header) {
	if header.GetPlan().GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return
	}
	s.SharedGPU = header.GetPlan().GetSharedGpu()
	ranks, gpus := map[host.ID]int{}, map[host.ID]map[string]bool{}
	for _, described := range header.GetHosts() {
		at := host.IDOf(described)
		ranks[at] += int(header.GetPlan().GetRanksPerHost())
		if gpus[at] == nil {
			gpus[at] = map[string]bool{}
		}
		for _, gpu := range described.GetGpus() {
			if !gpus[at][gpu.GetUuid()] {
				gpus[at][gpu.GetUuid()] = true
				s.countGPU(gpu)
			}
		}
	}
	for at, used := range gpus {
		s.SharedGPU = s.SharedGPU || len(used) > 0 && ranks[at] > len(used)
	}
	s.Oversubscribed = s.SharedGPU
}

// NoGPUs is why ranks that were to compute on GPUs, if there are any, compute on CPUs.
type NoGPUs struct {
	// Alone: there is one GPU, which has nobody to send to. All below is empty then.
	Alone bool
	// Reason is the driver's, or CUDA's.
	Reason string
	// InSys is how many GPUs of NVIDIA /sys has.
	InSys int
	// VisibleDevices is CUDA_VISIBLE_DEVICES; nil if it was not set.
	VisibleDevices *string
}

// noDevices are what CUDA_VISIBLE_DEVICES says where no GPU is to be used.
var noDevices = []string{"", "-1", "NoDevFiles"}

// noGPUs returns that of the first host which has a GPU, or a driver, or a user who chose GPUs. Where
// there is nothing of all this, or the user chose none, ranks on CPUs surprise nobody.
func noGPUs(header *epperfv1.Header) *NoGPUs {
	if onGPUs(header.GetPlan()) {
		return nil
	}
	for _, described := range header.GetHosts() {
		search := described.GetGpuSearch()
		switch {
		case search.GetUsable() > 0:
			return &NoGPUs{Alone: true}
		case search.GetNone() == "" || search.VisibleDevices != nil && slices.Contains(noDevices, search.GetVisibleDevices()):
		case !search.GetNoDriver() || search.GetInSys() > 0 || search.VisibleDevices != nil:
			return &NoGPUs{Reason: search.GetNone(), InSys: int(search.GetInSys()), VisibleDevices: search.VisibleDevices}
		}
	}
	return nil
}

// slowing are the bits of GpuState.throttle_reasons that mean more than a setting or an idle GPU.
var slowing = []struct {
	bits uint64
	name string
}{
	{0x04 | 0x80, "power"},
	{0x20 | 0x40, "temperature"},
	{0x08, "hardware"},
}

// A Throttled is a rank whose GPU's clocks were lowered.
type Throttled struct {
	Rank int
	// Reasons are power, temperature or hardware.
	Reasons []string
}

// throttled says why a GPU was slower than it can be, before the timed block, within it or after it;
// nil if it was not, or does not tell.
func throttled(result *epperfv1.RankResult) []string {
	before, after := result.GetGpuBefore(), result.GetGpuAfter()
	seen := before.GetThrottleReasons() | after.GetThrottleReasons()
	lasted := map[string]bool{}
	if before != nil && after != nil {
		lasted["power"] = grew(before.PowerThrottledNs, after.PowerThrottledNs)
		lasted["temperature"] = grew(before.ThermalThrottledNs, after.ThermalThrottledNs)
	}
	var reasons []string
	for _, reason := range slowing {
		if seen&reason.bits != 0 || lasted[reason.name] {
			reasons = append(reasons, reason.name)
		}
	}
	return reasons
}

// grew compares a counter that may be absent.
func grew(before, after *uint64) bool { return before != nil && after != nil && *after > *before }

func (s *Summary) countGPU(gpu *epperfv1.Gpu) {
	name, sms := gpu.GetName(), int(gpu.GetMultiprocessors())
	if len(s.GPUs) == 0 {
		s.MinSMs = sms
	}
	s.MinSMs, s.MaxSMs = min(s.MinSMs, sms), max(s.MaxSMs, sms)
	at := slices.IndexFunc(s.GPUs, func(kind GPUKind) bool { return kind.Name == name })
	if at < 0 {
		at = len(s.GPUs)
		s.GPUs = append(s.GPUs, GPUKind{Name: name})
	}
	s.GPUs[at].Count++
}
