package plan

import (
	"strconv"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file plans rounds of the control plane.

// roundsLimits bounds rounds: the first is shown apart, so there are two.
var roundsLimits = limits{"rounds", 2, 10_000}

// DefaultRounds are as many as have a P99 of two ranks and more.
const DefaultRounds = 100

// NewControl returns the plan of a run that times the control plane in so many rounds, with the shape and ranks
// of the options. The errors are New's.
func NewControl(o Options, rounds int) (*epperfv1.Plan, error) {
	if err := roundsLimits.check(int64(rounds)); err != nil {
		return nil, err
	}
	o.Mode, o.Warmup = epperfv1.Name(epperfv1.Mode_MODE_DISPATCH), 0
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	p.GetCases()[0].Passes = epperfv1.ControlPasses(rounds)
	if err := Validate(p); err != nil {
		return nil, err
	}
	if p.GetDevice() == epperfv1.Device_DEVICE_CUDA && BackendOf(p).NIXL {
		return nil, &UsageError{
			"nvlink-backend", o.NvlinkBackend, "memory of GPUs that NIXL knows is let go of with all the rest alone",
			argument("nvlink-backend", Defaults().NvlinkBackend) + " or --device=cpu",
		}
	}
	return p, o.enoughGPUs(p)
}

// validateControl returns a *UsageError for passes that are no rounds of all steps.
func validateControl(c *epperfv1.Case) error {
	if c.GetMode() != epperfv1.Mode_MODE_DISPATCH {
		return &UsageError{"mode", epperfv1.Name(c.GetMode()), "rounds of the control plane check a dispatch", ""}
	}
	passes := c.GetPasses()
	rounds := passes[0].GetCount()
	if err := roundsLimits.check(int64(rounds)); err != nil {
		return err
	}
	for i, pass := range passes {
		if i >= len(epperfv1.ControlSteps) || len(passes) != len(epperfv1.ControlSteps) ||
			pass.GetKind() != epperfv1.ControlSteps[i] || pass.GetCount() != rounds || pass.GetOperation() != 0 ||
			pass.GetDropped()+pass.GetCaptured()+pass.GetRows()+pass.GetDistinctRows() > 0 || pass.GetDirection() != 0 || pass.GetAlone() || pass.GetMeter() != 0 {
			return &UsageError{"passes", strconv.Itoa(i), "no step of a round in its place", ""}
		}
	}
	if c.GetWarmup() > 0 {
		return &UsageError{"warmup", count(c.GetWarmup()), "a control plane has none", ""}
	}
	return nil
}
