package plan

import (
	"fmt"
	"slices"
	"strconv"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file says how many streaming multiprocessors (SMs) of a GPU operations may use, and that CPUs have
// none, nor kernels.

// maxSMs bounds what a plan asks for: several times what any GPU has.
const maxSMs = 1_024

// smsLimits has 0 for all that there are.
var smsLimits = limits{"sms", 0, maxSMs}

// validateSMs returns a *UsageError for a number of SMs that no GPU has, or of something else.
func validateSMs(c *epperfv1.Case, device epperfv1.Device) error {
	if err := smsLimits.check(int64(c.GetSms())); err != nil {
		return err
	}
	if c.GetSms() > 0 && device != epperfv1.Device_DEVICE_CUDA {
		return &UsageError{"sms", count(c.GetSms()), "only GPUs have multiprocessors", argument("device", epperfv1.Name(epperfv1.Device_DEVICE_CUDA)) + " or --sms=0"}
	}
	return nil
}

// validateKernel returns a *UsageError for kernels that are not known, or of something else than a GPU.
func validateKernel(c *epperfv1.Case, p *epperfv1.Plan) error {
	device := p.GetDevice()
	if c.GetKernel() == epperfv1.Kernel_KERNEL_UNSPECIFIED {
		return nil
	}
	if device != epperfv1.Device_DEVICE_CUDA {
		return &UsageError{"kernel", epperfv1.Name(c.GetKernel()), "only GPUs have kernels to choose from", argument("device", epperfv1.Name(epperfv1.Device_DEVICE_CUDA)) + " or " + argument("kernel", usual[epperfv1.Kernel]())}
	}
	if c.GetKernel() == epperfv1.Kernel_KERNEL_PACKETS {
		return canPacket(c, p.GetNvlinkBackend())
	}
	return known("kernel", c.GetKernel())
}

// canPacket returns a *UsageError for a case whose rows cannot travel in packets: csrc/protocol/shape.h.
func canPacket(c *epperfv1.Case, backend epperfv1.NvlinkBackend) error {
	instead := argument("kernel", usual[epperfv1.Kernel]())
	problem := ""
	switch {
	case slices.Max(c.GetTokensOfRank()) > maxTokensPackets:
		problem = fmt.Sprintf("packets are for at most %d tokens per rank", maxTokensPackets)
	case min(c.GetTopk(), c.GetRanks()) > maxRanksPerTokenPackets:
		problem = fmt.Sprintf("packets are for tokens on at most %d ranks each", maxRanksPerTokenPackets)
	case epperfv1.CombineSumOf(c) == epperfv1.CombineSum_COMBINE_SUM_EXPERT:
		problem = "packets are for sums by rank"
	case backend != epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC:
		problem = "packets are for " + argument("nvlink-backend", epperfv1.Name(epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC))
	default:
		return nil
	}
	return &UsageError{"kernel", epperfv1.Name(c.GetKernel()), problem, instead}
}

// enoughSMs returns a *UsageError where a GPU of this host has fewer than ranks are to use.
func (o Options) enoughSMs() error {
	if o.Multiprocessors == 0 || o.SMs <= o.Multiprocessors {
		return nil
	}
	problem := fmt.Sprintf("a GPU of this host has %d multiprocessors", o.Multiprocessors)
	return &UsageError{"sms", strconv.Itoa(o.SMs), problem, argument("sms", o.Multiprocessors) + ", or 0 for all"}
}
