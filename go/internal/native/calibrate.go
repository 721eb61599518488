package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

import (
	"cmp"
	"slices"
	"unsafe"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file is what an Engine times besides blocks of iterations. With a case that calibrates it
// implements measure.Calibrator.

// RunFresh runs iterations of the mode's operations, each after an untimed flags-only epoch.
func (e *Engine) RunFresh(mode epperfv1.Mode, iterations int) (measure.Block, error) {
	return e.timed(opOf(mode), iterations, func(durations *C.uint64_t) C.ep_status {
		return C.ep_run_fresh(e.engine, opOf(mode), C.uint64_t(iterations), durations)
	})
}

// RunChained runs dropped iterations of the mode's operations and, without a pause, more of them,
// whose duration together it returns.
func (e *Engine) RunChained(mode epperfv1.Mode, dropped, iterations int) (measure.Block, error) {
	return e.timed(opOf(mode), 1, func(duration *C.uint64_t) C.ep_status {
		return C.ep_run_chained(e.engine, opOf(mode), C.uint64_t(dropped), C.uint64_t(iterations), duration)
	})
}

// RunGraph captures operations of the mode as one CUDA graph and replays it; a duration is that of
// a whole replay. Engines on CPUs fail.
func (e *Engine) RunGraph(mode epperfv1.Mode, operations, replays int) (measure.Block, error) {
	return e.timed(opOf(mode), replays, func(durations *C.uint64_t) C.ep_status {
		return C.ep_run_graph(e.engine, opOf(mode), C.uint64_t(operations), C.uint64_t(replays), durations)
	})
}

// RunKernels is Run, but a duration is that of the kernels alone. Engines on CPUs fail.
func (e *Engine) RunKernels(mode epperfv1.Mode, iterations int) (measure.Block, error) {
	return e.timed(opOf(mode), iterations, func(durations *C.uint64_t) C.ep_status {
		return C.ep_run_kernels(e.engine, opOf(mode), C.uint64_t(iterations), durations)
	})
}

// maxBlocks is more than a GPU has multiprocessors, and so than an operation has thread blocks.
const maxBlocks = 1024

// SMsOfBlocks returns the multiprocessors that the blocks of the last dispatch and of the last
// combine ran on. Where two of an operation shared one there is an error besides.
func (e *Engine) SMsOfBlocks() (ofDispatch, ofCombine []uint32, err error) {
	ofDispatch, errOfDispatch := e.smsOf(C.EP_DISPATCH)
	ofCombine, errOfCombine := e.smsOf(C.EP_COMBINE)
	return ofDispatch, ofCombine, cmp.Or(errOfDispatch, errOfCombine)
}

func (e *Engine) smsOf(op C.ep_op) ([]uint32, error) {
	var sms [maxBlocks]uint32
	var blocks C.size_t
	err := e.failed(C.ep_sms_of_blocks(e.engine, op, (*C.uint32_t)(&sms[0]), maxBlocks, &blocks))
	return slices.Clone(sms[:blocks]), err
}

// RunFlags runs epochs without rows.
func (e *Engine) RunFlags(epochs int) (measure.Block, error) {
	return e.timed(C.EP_FLAGS, epochs, func(durations *C.uint64_t) C.ep_status {
		return C.ep_run(e.engine, C.EP_FLAGS, C.uint64_t(epochs), durations)
	})
}

// PoisonLanding overwrites what peers have copied to this rank.
func (e *Engine) PoisonLanding() error { return e.failed(C.ep_poison_landing(e.engine)) }

// The core and measure number directions alike.
var _ [measure.Local]struct{} = [C.EP_LOCAL]struct{}{}

// Copy copies the case's rows, the first distinct of them in turn.
func (e *Engine) Copy(direction measure.Direction, distinct, iterations int) ([]uint64, error) {
	durationNS := make([]uint64, iterations)
	return durationNS, e.failed(C.ep_copy_rows(e.engine, C.ep_direction(direction), C.uint32_t(distinct),
		C.uint64_t(iterations), (*C.uint64_t)(unsafe.SliceData(durationNS))))
}

// CheckLanding compares the first distinct rows that copies in a direction brought here.
func (e *Engine) CheckLanding(direction measure.Direction, distinct int) (*epperfv1.Check, error) {
	var found C.ep_check_result
	if err := e.failed(C.ep_check_landing(e.engine, C.ep_direction(direction), C.uint32_t(distinct), &found)); err != nil {
		return nil, err
	}
	return checkOf(&found), nil
}

// RoundTrips flags the other one of ranks 0 and 1 and awaits its answer, count times.
func (e *Engine) RoundTrips(count int) ([]uint64, error) {
	durationNS := make([]uint64, count)
	return durationNS, e.failed(C.ep_round_trips(e.engine, C.uint64_t(count),
		(*C.uint64_t)(unsafe.SliceData(durationNS))))
}

// timed returns what run stores as durations, and the epoch with which it begins.
func (e *Engine) timed(op C.ep_op, durations int, run func(*C.uint64_t) C.ep_status) (measure.Block, error) {
	var epoch C.uint32_t
	if err := e.failed(C.ep_next_epoch(e.engine, op, &epoch)); err != nil {
		return measure.Block{}, err
	}
	block := measure.Block{FirstEpoch: uint32(epoch), DurationNS: make([]uint64, durations)}
	return block, e.failed(run((*C.uint64_t)(unsafe.SliceData(block.DurationNS))))
}
