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
	// FlushBytes is, of PrivateBytes, what the cache flush takes while it lasts.
	FlushBytes uint64
	// ImageBytes are, of PrivateBytes, for what is exchanged with peers that are not mapped.
	ImageBytes uint64
	// OutputRows are those that any routing could fill, and OutputBytes what they take with the
	// experts' outputs of all sets. PrivateBytes of a host has those that are received, of a GPU all.
	OutputRows, OutputBytes uint64
}

// MemoryNeeded returns what a rank of the case needs of its host where it reaches its peers by
// backend, has so many worker threads and receives receivedSelections rows.
func MemoryNeeded(c *epperfv1.Case, backend epperfv1.NvlinkBackend, threads int, receivedSelections uint64) (Memory, error) {
	shape := shapeOf(c)
	var memory, landing C.ep_memory
	if C.ep_memory_needed(&shape, backendOf(backend), C.uint32_t(threads), C.uint64_t(receivedSelections), &memory) != C.EP_OK {
		return Memory{}, refused(c)
	}
	if !c.Calibrates() {
		return Memory{
			RegionBytes:  uint64(memory.region_bytes),
			PrivateBytes: uint64(memory.private_bytes),
			FlushBytes:   uint64(memory.flush_bytes),
			ImageBytes:   uint64(memory.image_bytes),
			OutputRows:   uint64(memory.output_rows),
			OutputBytes:  uint64(memory.output_bytes),
		}, nil
	}
	if C.ep_landing_memory(&shape, C.uint32_t(c.CopiedRows()), &landing) != C.EP_OK {
		return Memory{}, refused(c)
	}
	return Memory{ // a calibration does not flush
		RegionBytes:  uint64(memory.region_bytes + landing.region_bytes),
		PrivateBytes: uint64(memory.private_bytes - memory.flush_bytes + landing.private_bytes),
	}, nil
}

// A Section is one part of a rank's region.
type Section struct {
	Name  string
	Bytes uint64
}

// Sections returns the parts of the region that a rank of the case has on a device, in their order.
// The worker threads count on CPUs only.
func Sections(c *epperfv1.Case, device epperfv1.Device, threads int) ([]Section, error) {
	shape := shapeOf(c)
	var sections [C.EP_SECTIONS]C.ep_section
	if C.ep_region_sections(&shape, C.ep_device(device), C.uint32_t(threads), &sections[0]) != C.EP_OK {
		return nil, refused(c)
	}
	var named []Section
	for _, section := range sections {
		named = append(named, Section{C.GoString(section.name), uint64(section.bytes)})
	}
	return named, nil
}

func refused(c *epperfv1.Case) error {
	return fmt.Errorf("memory of a rank: the core refuses the shape of %v", c)
}

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
