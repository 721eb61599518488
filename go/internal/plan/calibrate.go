package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file plans what is timed besides blocks of iterations: the details of a case, and the
// machine itself.

// droppedPairs are run before the chained pairs that count, so that the chain is under way.
const droppedPairs = 16

const (
	// graphOperations are what a CUDA graph holds, enough that starting it is a small part.
	graphOperations = 16
	// maxGraphOperations bounds what a plan from elsewhere makes a GPU keep.
	maxGraphOperations = 4_096
)

// detail returns what --detail times: as many fresh entries, chained pairs, operations in graphs
// and iterations by kernels as the timed block has iterations. Of graphs one replay is added, for
// figures leave out the first, and it may take a last one to have as many operations.
func (o Options) detail(device epperfv1.Device) *epperfv1.Detail {
	if !o.Detail {
		return nil
	}
	detail := &epperfv1.Detail{
		FreshIterations: uint32(o.Iters),
		DroppedPairs:    droppedPairs,
		Pairs:           uint32(o.Iters),
	}
	if device == epperfv1.Device_DEVICE_CUDA {
		detail.GraphOperations = graphOperations
		detail.GraphReplays = uint32((o.Iters+graphOperations-1)/graphOperations + 1)
		detail.KernelIterations = uint32(o.Iters)
	}
	return detail
}

// CalibrationOptions holds one field for each flag that shapes a calibration.
type CalibrationOptions struct {
	// NumProcesses is the number of ranks on this host.
	NumProcesses int
	// Hidden is the number of channels of a row, which has two bytes for each.
	Hidden int
	// WorkingSetBytes is what one rank reads and writes in one iteration, half each. Caches that
	// hold it are not left.
	WorkingSetBytes uint64
	// Iters is the number of timed iterations of each way to copy; figures leave out the first.
	Iters int
	// Device, GPUs and NoGPU, Timeout and WaitTimeout are those of Options.
	Device               string
	GPUs                 int
	NoGPU                string
	Timeout, WaitTimeout time.Duration
	// RunID names the run; NewCalibration makes one if it is empty.
	RunID string
}

// CalibrationDefaults returns what is calibrated if no flag is given. What it has in common with a
// measurement is the same.
func CalibrationDefaults() CalibrationOptions {
	d := Defaults()
	return CalibrationOptions{
		NumProcesses:    d.NumProcesses,
		Hidden:          d.Hidden,
		WorkingSetBytes: 256 << 20,
		Iters:           11,
		Device:          d.Device,
		Timeout:         d.Timeout,
		WaitTimeout:     d.WaitTimeout,
	}
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
	general := Defaults()
	general.NumProcesses, general.Hidden, general.Iters = o.NumProcesses, o.Hidden, o.Iters
	general.Timeout, general.WaitTimeout, general.RunID = o.Timeout, o.WaitTimeout, o.RunID
	general.Device, general.GPUs, general.NoGPU = o.Device, o.GPUs, o.NoGPU
	general.Tokens, general.ExpertsPerRank, general.Topk, general.Warmup = "1", 1, 1, 0
	general.Dtype = epperfv1.Name(epperfv1.Dtype_DTYPE_BF16)
	p, err := general.plan()
	if err != nil {
		return nil, err
	}
	c := p.GetCases()[0]
	c.Mode = epperfv1.Mode_MODE_CALIBRATE
	rows := max(o.WorkingSetBytes/(bytesOfRow*uint64(c.GetHidden())), 1)
	if rows > maxCalibrationRows {
		return nil, &UsageError{
			"working-set", strconv.FormatUint(o.WorkingSetBytes>>20, 10),
			fmt.Sprintf("would be %s rows, more than %s", thousands(int64(rows)), thousands(int64(maxCalibrationRows))), "--working-set=256",
		}
	}
	cached := min(max(cachedSetBytes/(bytesOfRow*uint64(c.GetHidden())), 1), rows)
	c.Calibration = &epperfv1.Calibration{
		Rows:       uint32(rows),
		CachedRows: uint32(cached),
		RoundTrips: calibratedRoundTrips,
		Epochs:     calibratedEpochs,
	}
	if c.GetRanks() == 1 {
		c.Calibration.RoundTrips = 0
	}
	if err := Validate(p); err != nil {
		return nil, err
	}
	return p, general.enoughGPUs(p)
}

// parseMode reads a --mode. A calibration is a mode of plans and a command of its own.
func parseMode(text, good string) (epperfv1.Mode, error) {
	const command = epperfv1.Mode_MODE_CALIBRATE
	mode, ok := epperfv1.Parse[epperfv1.Mode](text)
	if ok && mode != command {
		return mode, nil
	}
	names := slices.DeleteFunc(epperfv1.Names(mode), func(name string) bool { return name == epperfv1.Name(command) })
	return mode, &UsageError{"mode", strconv.Quote(text), "not one of " + strings.Join(names, ", "), argument("mode", good)}
}

// validateBlocks returns a *UsageError for a detail or a calibration that cannot be run.
func validateBlocks(c *epperfv1.Case) error {
	calibration, calibrates := c.GetCalibration(), c.GetMode() == epperfv1.Mode_MODE_CALIBRATE
	if calibrates != (calibration != nil) || calibrates && c.Detail != nil {
		return &UsageError{"mode", epperfv1.Name(c.GetMode()), "comes with what another mode measures", ""}
	}
	for _, field := range []struct {
		what     string
		value    uint32
		min, max uint32
	}{
		{"fresh iterations", c.GetDetail().GetFreshIterations(), 0, maxIterations},
		{"dropped pairs", c.GetDetail().GetDroppedPairs(), 0, maxIterations},
		{"pairs", c.GetDetail().GetPairs(), 0, maxIterations},
		{"operations of a graph", c.GetDetail().GetGraphOperations(), min(c.GetDetail().GetGraphReplays(), 1), maxGraphOperations},
		{"replays of a graph", c.GetDetail().GetGraphReplays(), 0, maxIterations},
		{"iterations by kernels", c.GetDetail().GetKernelIterations(), 0, maxIterations},
		{"calibration rows", calibration.GetRows(), 0, maxCalibrationRows},
		{"cached calibration rows", calibration.GetCachedRows(), 0, calibration.GetRows()},
		{"round trips", calibration.GetRoundTrips(), 0, maxIterations},
		{"flags-only epochs", calibration.GetEpochs(), 0, maxIterations},
	} {
		if field.value < field.min || field.value > field.max {
			return &UsageError{field.what, count(field.value), fmt.Sprintf("must be %d to %d", field.min, field.max), ""}
		}
	}
	if calibrates && calibration.GetCachedRows() == 0 {
		return &UsageError{"cached calibration rows", "0", "must be more than 0", ""}
	}
	return nil
}
