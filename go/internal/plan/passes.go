package plan

import (
	"fmt"
	"strconv"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file plans passes: what is timed of a case, and of the machine itself. How each kind is run
// is the core's business.

// droppedPairs are run before the chained pairs that count, so that the chain is under way.
const droppedPairs = 16

const (
	// graphOperations are what a CUDA graph holds, enough that starting it is a small part.
	graphOperations = 16
	// maxGraphOperations bounds what a plan from elsewhere makes a GPU keep.
	maxGraphOperations = 4_096
)

// passes returns the timed block, and what --detail times besides: as many fresh entries, chained
// pairs, operations in graphs and iterations by kernels. Of graphs one replay is added, for figures
// leave out the first, and it may take a last one to have as many operations.
func (o Options) passes(mode epperfv1.Mode, device epperfv1.Device) []*epperfv1.Pass {
	iterations := uint32(o.Iters)
	passes := []*epperfv1.Pass{epperfv1.Operations(mode, o.Iters)}
	if !o.Detail {
		return passes
	}
	passes = append(passes,
		&epperfv1.Pass{Kind: epperfv1.Pass_KIND_FRESH, Operation: mode, Count: iterations},
		&epperfv1.Pass{
			Kind: epperfv1.Pass_KIND_CHAINED, Operation: epperfv1.Mode_MODE_E2E,
			Count: 1, Dropped: droppedPairs, Captured: iterations,
		})
	if device == epperfv1.Device_DEVICE_CUDA {
		passes = append(passes,
			&epperfv1.Pass{
				Kind: epperfv1.Pass_KIND_GRAPH, Operation: mode,
				Count: (iterations+graphOperations-1)/graphOperations + 1, Captured: graphOperations,
			},
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_KERNELS, Operation: mode, Count: iterations})
	}
	return passes
}

// CalibrationOptions are those of Options that a calibration has, and its own.
type CalibrationOptions struct {
	Options
	// WorkingSetBytes is what one rank reads and writes in one iteration, half each. Caches that
	// hold it are not left.
	WorkingSetBytes uint64
}

// CalibrationDefaults returns what is calibrated if no flag is given. What it has in common with a
// measurement is the same.
func CalibrationDefaults() CalibrationOptions {
	o := Defaults()
	o.Tokens, o.ExpertsPerRank, o.Topk, o.Warmup, o.Iters = "1", 1, 1, 0, 11
	o.Dtype = epperfv1.Name(epperfv1.Dtype_DTYPE_BF16)
	return CalibrationOptions{Options: o, WorkingSetBytes: 256 << 20}
}

const (
	// cachedSetBytes is what one rank reads and writes where caches are to hold it: a share of
	// any second-level cache that is left to data.
	cachedSetBytes = 256 << 10
	// calibratedRoundTrips and calibratedEpochs take milliseconds, and have a 99th percentile.
	calibratedRoundTrips = 2001
	calibratedEpochs     = 2001
	// maxCalibrationRows keeps offsets of rows far from overflowing: 2 TiB of the widest rows.
	maxCalibrationRows = 1 << 24
	// bytesOfRow is what a row of one channel adds to a working set: two bytes read, two written.
	bytesOfRow = 4
)

// NewCalibration returns the plan of a calibration on one host. The error is a *UsageError or a
// *NoGPUError.
func NewCalibration(o CalibrationOptions) (*epperfv1.Plan, error) {
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	c := p.GetCases()[0]
	c.Mode = epperfv1.Mode_MODE_UNSPECIFIED
	rows := max(o.WorkingSetBytes/(bytesOfRow*uint64(c.GetHidden())), 1)
	if rows > maxCalibrationRows {
		return nil, &UsageError{
			"working-set", strconv.FormatUint(o.WorkingSetBytes>>20, 10),
			fmt.Sprintf("would be %s rows, more than %s", thousands(int64(rows)), thousands(int64(maxCalibrationRows))), "--working-set=256",
		}
	}
	cached := min(max(cachedSetBytes/(bytesOfRow*uint64(c.GetHidden())), 1), rows)
	c.Passes = calibrationPasses(p, uint32(o.Iters), uint32(rows), uint32(cached))
	if err := Validate(p); err != nil {
		return nil, err
	}
	return p, o.enoughGPUs(p)
}

// calibrationPasses returns every way to copy, alone and all at once, then flags.
func calibrationPasses(p *epperfv1.Plan, iterations, rows, cached uint32) []*epperfv1.Pass {
	var passes []*epperfv1.Pass
	copies := func(direction epperfv1.Pass_Direction, distinct uint32, alone bool) {
		passes = append(passes, &epperfv1.Pass{
			Kind: epperfv1.Pass_KIND_COPY, Count: iterations, Rows: rows, DistinctRows: distinct, Direction: direction, Alone: alone,
		})
	}
	for _, distinct := range []uint32{rows, cached} {
		copies(epperfv1.Pass_DIRECTION_PUT, distinct, true)
		copies(epperfv1.Pass_DIRECTION_PUT, distinct, false)
	}
	if p.GetDevice() == epperfv1.Device_DEVICE_CUDA {
		copies(epperfv1.Pass_DIRECTION_GET, rows, true)
		copies(epperfv1.Pass_DIRECTION_GET, rows, false)
		copies(epperfv1.Pass_DIRECTION_LOCAL, rows, false)
	}
	if RankCount(p) > 1 {
		passes = append(passes, &epperfv1.Pass{Kind: epperfv1.Pass_KIND_ROUND_TRIPS, Count: calibratedRoundTrips})
	}
	return append(passes, &epperfv1.Pass{Kind: epperfv1.Pass_KIND_FLAGS, Count: calibratedEpochs})
}

// A passRule is what a pass of one kind may be.
type passRule struct {
	// operates: an iteration is operations of tokens; else the pass is of a case without a mode.
	operates, onGPUs bool
	// mayRest: of a case with a mode, without operations as well.
	mayRest bool
	// The most of each. Where there may be some captured iterations and operations, there is one at
	// least.
	count, dropped, captured uint32
}

var passRules = map[epperfv1.Pass_Kind]passRule{
	epperfv1.Pass_KIND_OPERATIONS:  {operates: true, count: maxIterations},
	epperfv1.Pass_KIND_FRESH:       {operates: true, count: maxIterations},
	epperfv1.Pass_KIND_CHAINED:     {operates: true, count: 1, dropped: maxIterations, captured: maxIterations},
	epperfv1.Pass_KIND_GRAPH:       {operates: true, onGPUs: true, count: maxIterations, captured: maxGraphOperations},
	epperfv1.Pass_KIND_KERNELS:     {operates: true, onGPUs: true, count: maxIterations},
	epperfv1.Pass_KIND_COPY:        {count: maxIterations},
	epperfv1.Pass_KIND_FLAGS:       {count: maxIterations},
	epperfv1.Pass_KIND_ROUND_TRIPS: {count: maxIterations},
	epperfv1.Pass_KIND_METER:       {operates: true, onGPUs: true, mayRest: true, count: maxIterations, captured: maxIterations},
	epperfv1.Pass_KIND_BESIDE:      {operates: true, onGPUs: true, count: maxIterations},
}

// maxPasses bounds the passes of one case.
const maxPasses = 64

// validatePasses returns a *UsageError for passes that cannot be run.
func validatePasses(c *epperfv1.Case, device epperfv1.Device) error {
	passes := c.GetPasses()
	if c.GetSoak() != nil {
		if len(passes) > 0 || c.GetWarmup() > 0 {
			return &UsageError{"soak", c.ModeName(), "comes with what is timed", ""}
		}
		return validateSoak(c.GetSoak())
	}
	if len(passes) < 1 || len(passes) > maxPasses {
		return &UsageError{"passes", strconv.Itoa(len(passes)), fmt.Sprintf("must be 1 to %d", maxPasses), ""}
	}
	if c.Controls() {
		return validateControl(c)
	}
	if c.Operates() {
		if passes[0].GetKind() != epperfv1.Pass_KIND_OPERATIONS || passes[0].GetOperation() != c.GetMode() {
			return &UsageError{"passes", passes[0].Label(), "the first must be the case's operations", ""}
		}
		if err := iterationsLimits.check(int64(passes[0].GetCount())); err != nil {
			return err
		}
	}
	for _, pass := range passes {
		if err := validatePass(pass, c, device); err != nil {
			return err
		}
	}
	return nil
}

func validatePass(pass *epperfv1.Pass, c *epperfv1.Case, device epperfv1.Device) error {
	if err := known("passes", pass.GetKind()); err != nil {
		return err
	}
	rule := passRules[pass.GetKind()]
	rests := rule.mayRest && pass.GetOperation() == epperfv1.Mode_MODE_UNSPECIFIED
	if rule.operates != c.Operates() || !rests && rule.operates != (pass.GetOperation() != epperfv1.Mode_MODE_UNSPECIFIED) {
		return &UsageError{"mode", c.ModeName(), "comes with what another mode measures", ""}
	}
	if rule.operates && !rests {
		if err := known("mode", pass.GetOperation()); err != nil {
			return err
		}
	}
	if rule.onGPUs && device != epperfv1.Device_DEVICE_CUDA {
		return &UsageError{"device", epperfv1.Name(device), "has no such pass", argument("device", epperfv1.Name(epperfv1.Device_DEVICE_CUDA))}
	}
	least, most := min(rule.captured, 1), rule.captured
	if rests {
		least, most = 0, 0
	}
	for _, field := range []struct {
		what            string
		value, min, max uint32
	}{
		{"durations", pass.GetCount(), 1, rule.count},
		{"dropped iterations", pass.GetDropped(), 0, rule.dropped},
		{"captured iterations", pass.GetCaptured(), least, most},
	} {
		if field.value < field.min || field.value > field.max {
			return &UsageError{field.what, count(field.value), fmt.Sprintf("must be %d to %d", field.min, field.max), ""}
		}
	}
	if err := validateMeter(pass, c); err != nil {
		return err
	}
	return validateCopy(pass, device)
}

// validateCopy returns a *UsageError for a copy that cannot be run, and for what copies in another
// pass.
func validateCopy(pass *epperfv1.Pass, device epperfv1.Device) error {
	if pass.GetKind() != epperfv1.Pass_KIND_COPY {
		if pass.GetRows() > 0 || pass.GetDistinctRows() > 0 || pass.GetDirection() != 0 || pass.GetAlone() {
			return &UsageError{"copied rows", count(pass.GetRows()), "this pass copies none", ""}
		}
		return nil
	}
	if err := iterationsLimits.check(int64(pass.GetCount())); err != nil {
		return err
	}
	if rows := pass.GetRows(); rows < 1 || rows > maxCalibrationRows {
		return &UsageError{"copied rows", count(rows), fmt.Sprintf("must be 1 to %d", maxCalibrationRows), ""}
	}
	if distinct := pass.GetDistinctRows(); distinct < 1 || distinct > pass.GetRows() {
		return &UsageError{"different rows", count(distinct), fmt.Sprintf("must be 1 to %d", pass.GetRows()), ""}
	}
	if err := known("direction", pass.GetDirection()); err != nil {
		return err
	}
	if pass.GetDirection() != epperfv1.Pass_DIRECTION_PUT && device != epperfv1.Device_DEVICE_CUDA {
		return &UsageError{"direction", epperfv1.Name(pass.GetDirection()), "copied on GPUs only", ""}
	}
	return nil
}
