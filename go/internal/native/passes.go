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

// Run runs a pass and returns its durations, with the epoch of its first operation.
func (e *Engine) Run(pass *epperfv1.Pass) (measure.Block, error) {
	of := passOf(pass)
	var epoch C.uint32_t
	block := measure.Block{DurationNS: make([]uint64, pass.GetCount())}
	err := e.failed(C.ep_run(e.engine, &of, (*C.uint64_t)(unsafe.SliceData(block.DurationNS)), &epoch))
	block.FirstEpoch = uint32(epoch)
	return block, err
}

// Poison overwrites all that a pass is to write, and the guards around it.
func (e *Engine) Poison(pass *epperfv1.Pass) error {
	of := passOf(pass)
	return e.failed(C.ep_poison(e.engine, &of))
}

// Check compares what a pass left behind with the oracle's, or with what was copied.
func (e *Engine) Check(pass *epperfv1.Pass) (*epperfv1.Check, error) {
	of := passOf(pass)
	var found C.ep_check_result
	if err := e.failed(C.ep_check(e.engine, &of, &found)); err != nil {
		return nil, err
	}
	return checkOf(&found), nil
}

// passOf leaves it to the core to refuse what it does not know.
func passOf(pass *epperfv1.Pass) C.ep_pass {
	return C.ep_pass{
		kind:          C.ep_pass_kind(pass.GetKind()),
		operation:     C.ep_mode(pass.GetOperation()),
		count:         C.uint64_t(pass.GetCount()),
		dropped:       C.uint64_t(pass.GetDropped()),
		captured:      C.uint64_t(pass.GetCaptured()),
		distinct_rows: C.uint32_t(pass.GetDistinctRows()),
		direction:     C.ep_pass_direction(pass.GetDirection()),
		meter:         C.ep_pass_meter(pass.GetMeter()),
	}
}

// maxBlocks is more than a GPU has multiprocessors, and so than an operation has thread blocks.
const maxBlocks = 1024

// SMsOfBlocks returns the multiprocessors that the blocks of the last dispatch, of the last combine
// and of the last meter ran on. Where two of an operation shared one there is an error besides.
func (e *Engine) SMsOfBlocks() (ofDispatch, ofCombine, ofMeter []uint32, err error) {
	ofDispatch, errOfDispatch := e.smsOf(C.EP_MODE_DISPATCH)
	ofCombine, errOfCombine := e.smsOf(C.EP_MODE_COMBINE)
	ofMeter, errOfMeter := e.smsOf(0)
	return ofDispatch, ofCombine, ofMeter, cmp.Or(errOfDispatch, errOfCombine, errOfMeter)
}

func (e *Engine) smsOf(mode C.ep_mode) ([]uint32, error) {
	var sms [maxBlocks]uint32
	var blocks C.size_t
	err := e.failed(C.ep_sms_of_blocks(e.engine, mode, (*C.uint32_t)(&sms[0]), maxBlocks, &blocks))
	return slices.Clone(sms[:blocks]), err
}
