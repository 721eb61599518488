package plan

import (
	"strconv"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file plans what operations and a meter beside them cost each other. The meter has the
// multiprocessors that --sms leaves.

// What a block of a meter does at a time: bytes that it reads or writes, and operations of a
// product.
const (
	MeterStreamBytes = meterStreamBytes
	MeterGemmFlop    = meterGemmFlop
)

// meterWindows are durations of a meter; figures leave out the first.
const meterWindows = 11

// meter returns what --beside names; unspecified for none.
func (o Options) meter(device epperfv1.Device) (epperfv1.Pass_Meter, error) {
	if o.Beside == "" {
		return epperfv1.Pass_METER_UNSPECIFIED, nil
	}
	meter, err := parse[epperfv1.Pass_Meter]("beside", o.Beside, epperfv1.Name(epperfv1.Pass_METER_GEMM))
	if err != nil {
		return 0, err
	}
	switch {
	case device != epperfv1.Device_DEVICE_CUDA:
		return 0, &UsageError{"beside", o.Beside, "only GPUs have multiprocessors to leave", argument("device", epperfv1.Name(epperfv1.Device_DEVICE_CUDA))}
	case o.SMs == 0:
		return 0, &UsageError{"beside", o.Beside, "operations that use all multiprocessors leave none", "--sms=24"}
	case o.Multiprocessors > 0 && o.SMs == o.Multiprocessors:
		return 0, &UsageError{"sms", strconv.Itoa(o.SMs), "leaves none of a GPU's multiprocessors to --beside", argument("sms", max(o.SMs-1, 1))}
	case o.SharedGPU:
		return 0, &UsageError{"beside", o.Beside, "ranks that share a GPU measure nothing", "without --shared-gpu"}
	case o.Soak != "":
		return 0, &UsageError{"beside", o.Beside, "a soak times nothing", "without --soak"}
	}
	return meter, nil
}

// besidePasses returns the meter alone, the meter while iterations run, and these while it runs.
func (o Options) besidePasses(mode epperfv1.Mode, meter epperfv1.Pass_Meter) []*epperfv1.Pass {
	if meter == epperfv1.Pass_METER_UNSPECIFIED {
		return nil
	}
	iterations := uint32(o.Iters)
	return []*epperfv1.Pass{
		{Kind: epperfv1.Pass_KIND_METER, Meter: meter, Count: meterWindows},
		{Kind: epperfv1.Pass_KIND_METER, Meter: meter, Operation: mode, Count: meterWindows, Captured: iterations},
		{Kind: epperfv1.Pass_KIND_BESIDE, Meter: meter, Operation: mode, Count: iterations},
	}
}

// validateMeter returns a *UsageError for a meter that has nothing to run on, or where there is none.
func validateMeter(pass *epperfv1.Pass, c *epperfv1.Case) error {
	switch pass.GetKind() {
	case epperfv1.Pass_KIND_METER, epperfv1.Pass_KIND_BESIDE:
	default:
		if pass.GetMeter() != epperfv1.Pass_METER_UNSPECIFIED {
			return &UsageError{"beside", epperfv1.Name(pass.GetMeter()), "this pass has no meter", ""}
		}
		return nil
	}
	if err := known("beside", pass.GetMeter()); err != nil {
		return err
	}
	if c.GetSms() == 0 {
		return &UsageError{"beside", epperfv1.Name(pass.GetMeter()), "operations that use all multiprocessors leave none", "--sms=24"}
	}
	return nil
}
