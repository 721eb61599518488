// Package measure runs one rank's part of a plan: connect, check, warm up, time, check again.
//
// It decides what happens in which order and how often; an Engine does it, a Group meets the
// other ranks, and a Sink takes what came out. Every rank of a run calls Run with the same plan,
// so all make the same operations and the same meetings in the same order.
package measure

import (
	"context"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An Engine is one rank's data plane for one case. Its calls block, come from one goroutine at a
// time but for Abort, and after an error only Close may follow.
type Engine interface {
	// Blob returns what peers need in order to reach this rank's memory.
	Blob() ([]byte, error)
	// Connect maps all peers, given one blob a rank in rank order.
	Connect(blobs [][]byte) error
	// Disconnect lets go of all peers, and keeps this rank's memory as it is. Connect may follow.
	Disconnect() error
	// Paths says how this rank reaches each rank, and over which network; nil if over none. It is
	// known once connected.
	Paths() ([]epperfv1.Path, *epperfv1.Network, error)
	// MakeExpertRows makes the experts' outputs, once, from where the last dispatch put their
	// inputs. A combine needs it.
	MakeExpertRows() error
	// Run runs a pass on this rank: what it times, and what lies before that without a pause.
	Run(*epperfv1.Pass) (Block, error)
	// SMsOfBlocks returns the multiprocessors that the thread blocks of the last dispatch, of the last
	// combine and of the last meter ran on, in the blocks' order. Blocks of an operation that shared one
	// are an error besides. On GPUs only.
	SMsOfBlocks() (ofDispatch, ofCombine, ofMeter []uint32, err error)
	// Poison overwrites all that a pass is to write, so that a row nobody writes is seen to be wrong.
	Poison(*epperfv1.Pass) error
	// Check compares what a pass left behind with the oracle's, or with what was copied.
	Check(*epperfv1.Pass) (*epperfv1.Check, error)
	// Traffic counts what one iteration moves. It needs a dispatch before.
	Traffic() (*epperfv1.Traffic, error)
	// FlushCaches evicts the outputs and inputs from this rank's caches.
	FlushCaches() error
	// Abort ends every wait of the data plane, now and later. Any goroutine may call it.
	Abort()
	// Close frees the engine's memory.
	Close() error
}

// A Block is what a pass took.
type Block struct {
	// FirstEpoch is the epoch of the first operation (in mode e2e: of the first dispatch); 0 of a pass
	// that has none.
	FirstEpoch uint32
	// DurationNS has one entry for each of the pass's count.
	DurationNS []uint64
}

// A Group is how the ranks of a run meet outside the data plane.
type Group interface {
	// Exchange gives this rank's blob to all and returns all ranks' blobs in rank order.
	Exchange(ctx context.Context, name string, blob []byte) ([][]byte, error)
	// Barrier returns once every rank has called it.
	Barrier(ctx context.Context, name string) error
}

// A Watch looks at what a rank waits for while its timed block runs, and what its host does besides.
type Watch interface {
	// Start comes right before the block, Stop right after it.
	Start()
	Stop()
	// Load returns what was seen, once all ranks are through.
	Load() *epperfv1.Load
}

// A Sink takes what a rank has to report.
type Sink interface {
	Samples(*epperfv1.Samples) error
	Result(*epperfv1.RankResult) error
}
