package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

import (
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
	// NoDriver: this host has no driver of GPUs, or one that is too old.
	NoDriver bool
}

func (e *Error) Error() string { return e.Text }

// shapeOf leaves it to the core to refuse what it does not know.
func shapeOf(c *epperfv1.Case) C.ep_shape {
	shape := C.ep_shape{
		ranks:            C.uint32_t(c.GetRanks()),
		hidden:           C.uint32_t(c.GetHidden()),
		experts_per_rank: C.uint32_t(c.GetExpertsPerRank()),
		topk:             C.uint32_t(c.GetTopk()),
		dtype:            C.ep_dtype(c.GetDtype()),
		layout:           C.ep_layout(epperfv1.LayoutOf(c)),
		combine:          C.ep_combine_sum(epperfv1.CombineSumOf(c)),
		quantize:         C.ep_quantize(epperfv1.QuantizeOf(c)),
	}
	if len(c.GetTokensOfRank()) > 0 {
		shape.tokens = C.uint32_t(slices.Max(c.GetTokensOfRank()))
	}
	return shape
}

// choicesOf is as shapeOf.
func choicesOf(c *epperfv1.Case) C.ep_choices {
	return C.ep_choices{sms: C.uint32_t(c.GetSms()), kernel: C.ep_kernel(c.GetKernel())}
}

func checkOf(found *C.ep_check_result) *epperfv1.Check {
	check := &epperfv1.Check{Rows: uint64(found.rows), Wrong: uint64(found.wrong)}
	if found.wrong == 0 {
		return check
	}
	check.First = &epperfv1.WrongRow{
		Kind:       epperfv1.WrongRow_Kind(found.kind),
		SourceRank: uint32(found.source_rank),
		Token:      uint32(found.token),
		Channel:    uint32(found.channel),
		Got:        uint64(found.got),
		Want:       uint64(found.want),
	}
	if found.expert >= 0 {
		expert := uint32(found.expert)
		check.First.Expert = &expert
	}
	return check
}
