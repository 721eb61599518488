package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

import (
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Memory is what one rank needs on its device, in bytes.
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

// A CPURank is what decides, with its case, how much memory a rank needs on CPUs.
type CPURank struct {
	// Backend is how it reaches its peers, of which RanksOnHost, with itself, are on its host.
	Backend     epperfv1.NvlinkBackend
	RanksOnHost int
	// Threads are its workers.
	Threads int
	// ReceivedSelections are the rows that its experts get.
	ReceivedSelections uint64
}

// MemoryNeeded returns what a rank of the case needs where it computes on CPUs.
func MemoryNeeded(c *epperfv1.Case, rank CPURank) (Memory, error) {
	return memoryIn(C.EP_PLACE_HOST, C.ep_memory_config{
		shape:               shapeOf(c),
		device:              C.EP_DEVICE_CPU,
		backend:             backendOf(rank.Backend),
		ranks_on_host:       C.uint32_t(rank.RanksOnHost),
		threads:             C.uint32_t(rank.Threads),
		landing_rows:        C.uint32_t(c.CopiedRows()),
		received_selections: C.uint64_t(rank.ReceivedSelections),
	})
}

// A GPURank is what decides, with its case, how much memory a rank needs on a GPU and of its host.
type GPURank struct {
	// Backend is how it reaches its peers, of which RanksOnHost, with itself, are on its host.
	Backend     epperfv1.NvlinkBackend
	RanksOnHost int
	// NicMemory is where messages to peers that are not mapped come from and go to.
	NicMemory epperfv1.NicMemory
	// ReceivedSelections are the rows that its experts get.
	ReceivedSelections uint64
}

func (r GPURank) config(c *epperfv1.Case) C.ep_memory_config {
	return C.ep_memory_config{
		shape:               shapeOf(c),
		choices:             choicesOf(c),
		device:              C.EP_DEVICE_CUDA,
		backend:             backendOf(r.Backend),
		nic_memory:          C.ep_nic_memory(r.NicMemory),
		ranks_on_host:       C.uint32_t(r.RanksOnHost),
		landing_rows:        C.uint32_t(c.CopiedRows()),
		received_selections: C.uint64_t(r.ReceivedSelections),
	}
}

// HostMemoryNeeded returns what a rank of the case needs of its host where it computes on a GPU, which
// has its region: the check has a copy of the tensors here.
func HostMemoryNeeded(c *epperfv1.Case, rank GPURank) (Memory, error) {
	memory, err := memoryIn(C.EP_PLACE_HOST, rank.config(c))
	memory.RegionBytes = 0
	return memory, err
}

// GPUMemoryNeeded returns what a rank of the case needs of its GPU's memory.
func GPUMemoryNeeded(c *epperfv1.Case, rank GPURank) (Memory, error) {
	return memoryIn(C.EP_PLACE_GPU, rank.config(c))
}

// memoryIn adds up what a rank has in its region, and of its own in a place.
func memoryIn(place C.ep_place, config C.ep_memory_config) (Memory, error) {
	list, err := allocations(config)
	if err != nil {
		return Memory{}, err
	}
	memory := Memory{OutputRows: uint64(list.output_rows), OutputBytes: uint64(list.output_bytes)}
	for _, part := range list.parts[:list.count] {
		bytes := uint64(part.bytes)
		switch part.place {
		case C.EP_PLACE_REGION:
			memory.RegionBytes += bytes
		case C.EP_PLACE_IMAGES:
			memory.ImageBytes += bytes
			memory.PrivateBytes += bytes
		case place:
			memory.PrivateBytes += bytes
			if part.transient != 0 {
				memory.FlushBytes += bytes
			}
		}
	}
	return memory, nil
}

// A Section is one part of a rank's region.
type Section struct {
	Name  string
	Bytes uint64
}

// A Site is what decides, with its case, which parts a rank's region has.
type Site struct {
	Device epperfv1.Device
	// Backend is how it reaches its peers.
	Backend epperfv1.NvlinkBackend
	// Threads are its workers, on CPUs.
	Threads int
}

// Sections returns the parts of the region that a rank of the case has, in their order.
func Sections(c *epperfv1.Case, site Site) ([]Section, error) {
	list, err := allocations(C.ep_memory_config{
		shape: shapeOf(c), choices: choicesOf(c), device: C.ep_device(site.Device), backend: backendOf(site.Backend), threads: C.uint32_t(site.Threads),
	})
	if err != nil {
		return nil, err
	}
	var sections []Section
	for _, part := range list.parts[:list.count] {
		if part.place == C.EP_PLACE_REGION {
			sections = append(sections, Section{C.GoString(part.name), uint64(part.bytes)})
		}
	}
	return sections, nil
}

func allocations(config C.ep_memory_config) (*C.ep_memory, error) {
	var list C.ep_memory
	if C.ep_memory_needed(&config, &list) != C.EP_OK {
		return nil, fmt.Errorf("memory of a rank: the core refuses the shape of %v", config.shape)
	}
	return &list, nil
}
