package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

import (
	"fmt"
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Kind is what callers branch on when the core fails.
type Kind int

// The kinds of failure of the core.
const (
	KindInvalid  Kind = C.EP_INVALID
	KindSystem   Kind = C.EP_SYSTEM
	KindTimeout  Kind = C.EP_TIMEOUT
	KindProtocol Kind = C.EP_PROTOCOL
	KindAborted  Kind = C.EP_ABORTED
	KindState    Kind = C.EP_STATE
)

// An Error is a failure of the core in its own words.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string { return e.Text }

func kindOf(status C.ep_status) Kind { return Kind(status) }

// Memory is what one rank needs, in bytes.
type Memory struct {
	// RegionBytes is shared with peers.
	RegionBytes uint64
	// PrivateBytes is its own, the cache flush included.
	PrivateBytes uint64
}

// MemoryNeeded returns what a rank of the case needs where it receives receivedSelections rows.
func MemoryNeeded(c *epperfv1.Case, receivedSelections uint64) (Memory, error) {
	shape := shapeOf(c)
	var memory C.ep_memory
	if C.ep_memory_needed(&shape, C.uint64_t(receivedSelections), &memory) != C.EP_OK {
		return Memory{}, fmt.Errorf("memory of a rank: the core refuses the shape of %v", c)
	}
	return Memory{uint64(memory.region_bytes), uint64(memory.private_bytes)}, nil
}

func shapeOf(c *epperfv1.Case) C.ep_shape {
	shape := C.ep_shape{
		ranks:            C.uint32_t(c.GetRanks()),
		hidden:           C.uint32_t(c.GetHidden()),
		experts_per_rank: C.uint32_t(c.GetExpertsPerRank()),
		topk:             C.uint32_t(c.GetTopk()),
		dtype:            C.EP_BF16,
	}
	if len(c.GetTokensOfRank()) > 0 {
		shape.tokens = C.uint32_t(slices.Max(c.GetTokensOfRank()))
	}
	if c.GetDtype() == epperfv1.Dtype_DTYPE_FP8 {
		shape.dtype = C.EP_FP8
	}
	return shape
}

func opOf(mode epperfv1.Mode) C.ep_op {
	switch mode {
	case epperfv1.Mode_MODE_DISPATCH:
		return C.EP_DISPATCH
	case epperfv1.Mode_MODE_COMBINE:
		return C.EP_COMBINE
	default:
		return C.EP_E2E
	}
}
