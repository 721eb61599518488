package measure

import (
	"context"
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Calibrator is one rank's part in measuring the machine itself. As of an Engine, its calls
// block, come from one goroutine at a time but for Abort, and after an error only Close may follow.
type Calibrator interface {
	// Blob, Connect, Abort and Close are those of Engine.
	Blob() ([]byte, error)
	Connect(blobs [][]byte) error
	Abort()
	Close() error
	// PoisonLanding overwrites what was copied to this rank.
	PoisonLanding() error
	// Copy copies the case's number of rows, iterations times, and returns how long each took. Only
	// the first distinct rows are copied, in turn.
	Copy(direction Direction, distinct, iterations int) ([]uint64, error)
	// CheckLanding compares the first distinct rows that copies in this direction brought to this
	// rank: of Put, those of the previous one.
	CheckLanding(direction Direction, distinct int) (*epperfv1.Check, error)
	// RoundTrips is for ranks 0 and 1: they flag each other in turn, count times there and back.
	RoundTrips(count int) ([]uint64, error)
	// RunFlags runs epochs of nothing but flags.
	RunFlags(epochs int) (Block, error)
}

// A Direction is from where to where a rank copies.
type Direction int

const (
	// Put is from a rank's own memory to the next rank.
	Put Direction = iota + 1
	// Get is from the next rank, where Put left the same rows, back. On GPUs only.
	Get
	// Local is within a rank's own memory. On GPUs only.
	Local
)

// A calibration is a case that calibrates on this rank.
type calibration struct {
	*caseRun
	calibrator Calibrator
}

func (c *calibration) run(ctx context.Context) (err error) {
	c.calibrator, err = c.OpenCalibrator(c.of)
	if err != nil {
		return fmt.Errorf("open calibrator: %w", err)
	}
	defer func() {
		if closeErr := c.calibrator.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close calibrator: %w", closeErr)
		}
	}()
	stop := context.AfterFunc(ctx, c.calibrator.Abort)
	defer stop()

	rows := int(c.of.GetCalibration().GetRows())
	cached := int(c.of.GetCalibration().GetCachedRows())
	type step struct {
		name string
		do   func(context.Context) error
	}
	steps := []step{
		{"connect", c.connect},
		{"copy alone", c.copies(epperfv1.Samples_BLOCK_COPY_ALONE, Put, rows, c.inTurn)},
		{"copy", c.copies(epperfv1.Samples_BLOCK_COPY_ALL, Put, rows, c.together)},
		{"cached copy alone", c.copies(epperfv1.Samples_BLOCK_CACHED_COPY_ALONE, Put, cached, c.inTurn)},
		{"cached copy", c.copies(epperfv1.Samples_BLOCK_CACHED_COPY_ALL, Put, cached, c.together)},
	}
	if c.Plan.GetDevice() == epperfv1.Device_DEVICE_CUDA {
		steps = append(steps, []step{
			{"get alone", c.copies(epperfv1.Samples_BLOCK_GET_ALONE, Get, rows, c.inTurn)},
			{"get", c.copies(epperfv1.Samples_BLOCK_GET_ALL, Get, rows, c.together)},
			{"local copy", c.copies(epperfv1.Samples_BLOCK_LOCAL_COPY, Local, rows, c.together)},
		}...)
	}
	steps = append(steps, []step{
		{"flag round trip", c.roundTrips},
		{"flags-only epochs", c.flags},
		// Nobody unmaps a region that a peer may still write to.
		{"clean up", func(ctx context.Context) error { return c.Group.Barrier(ctx, "cleanup") }},
	}...)
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (c *calibration) connect(ctx context.Context) error {
	blob, err := c.calibrator.Blob()
	if err != nil {
		return err
	}
	blobs, err := c.Group.Exchange(ctx, "connect", blob)
	if err != nil {
		return err
	}
	if err := c.calibrator.Connect(blobs); err != nil {
		return err
	}
	return c.Group.Barrier(ctx, "connected")
}

// copies times one way to copy and checks what arrived. Poisoning also touches every page of the
// landing, on the rank that owns it, so that no copy has to wait for one.
func (c *calibration) copies(kind epperfv1.Samples_Block, direction Direction, distinct int,
	how func(context.Context, Direction, int) ([]uint64, error),
) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := c.calibrator.PoisonLanding(); err != nil {
			return err
		}
		if err := c.Group.Barrier(ctx, "warmup"); err != nil {
			return err
		}
		if direction == Get {
			if err := c.putOnce(ctx, distinct); err != nil {
				return err
			}
		}
		durationNS, err := how(ctx, direction, distinct)
		if err != nil {
			return err
		}
		if err := c.Group.Barrier(ctx, "copied"); err != nil {
			return err
		}
		found, err := c.calibrator.CheckLanding(direction, distinct)
		if err != nil {
			return err
		}
		c.found(found)
		return c.report(kind, Block{DurationNS: durationNS})
	}
}

// putOnce leaves with the next rank what is then fetched from there.
func (c *calibration) putOnce(ctx context.Context, distinct int) error {
	if _, err := c.calibrator.Copy(Put, distinct, 1); err != nil {
		return err
	}
	return c.Group.Barrier(ctx, "put")
}

// inTurn lets one rank after the other copy, while the others wait without using a CPU.
func (c *calibration) inTurn(ctx context.Context, direction Direction, distinct int) (durationNS []uint64, err error) {
	for rank := range int(c.of.GetRanks()) {
		if rank == c.Rank.Rank {
			if durationNS, err = c.calibrator.Copy(direction, distinct, int(c.of.GetIterations())); err != nil {
				return nil, err
			}
		}
		if err := c.Group.Barrier(ctx, "turn"); err != nil {
			return nil, err
		}
	}
	return durationNS, nil
}

// together lets all ranks copy at once; a flags-only epoch aligns them.
func (c *calibration) together(_ context.Context, direction Direction, distinct int) ([]uint64, error) {
	if _, err := c.calibrator.RunFlags(1); err != nil {
		return nil, err
	}
	return c.calibrator.Copy(direction, distinct, int(c.of.GetIterations()))
}

// roundTrips are reported by rank 0, which begins each.
func (c *calibration) roundTrips(ctx context.Context) error {
	count := int(c.of.GetCalibration().GetRoundTrips())
	if count == 0 {
		return nil
	}
	if err := c.Group.Barrier(ctx, "round trips"); err != nil {
		return err
	}
	if c.Rank.Rank > 1 {
		return nil
	}
	durationNS, err := c.calibrator.RoundTrips(count)
	if err != nil || c.Rank.Rank == 1 {
		return err
	}
	return c.report(epperfv1.Samples_BLOCK_ROUND_TRIP, Block{DurationNS: durationNS})
}

func (c *calibration) flags(ctx context.Context) error {
	if err := c.Group.Barrier(ctx, "epochs"); err != nil {
		return err
	}
	block, err := c.calibrator.RunFlags(int(c.of.GetCalibration().GetEpochs()))
	if err != nil {
		return err
	}
	return c.report(epperfv1.Samples_BLOCK_FLAGS, block)
}
