package native

/*
#include "csrc/abi/ep.h"
*/
import "C"

import (
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file is what the core knows of this host's GPUs before any engine is made.

// CountGPUs returns how many GPUs ranks of this host can use. Where there are none, the error says
// why.
func CountGPUs() (int, error) {
	var gpus C.uint32_t
	var failure C.ep_failure
	if status := C.ep_count_gpus(&gpus, &failure); status != C.EP_OK {
		return 0, errorOf(status, &failure)
	}
	return int(gpus), nil
}

// DescribeGPU returns the facts of a record about a GPU, counted from 0.
func DescribeGPU(gpu int) (*epperfv1.Gpu, error) {
	var found C.ep_gpu
	if status := C.ep_describe_gpu(C.uint32_t(gpu), &found); status != C.EP_OK {
		return nil, &Error{Kind: Kind(status), Text: fmt.Sprintf("describe GPU %d: there is no such GPU", gpu)}
	}
	return &epperfv1.Gpu{
		Name:            C.GoString(&found.name[0]),
		Uuid:            C.GoString(&found.uuid[0]),
		Pci:             C.GoString(&found.pci[0]),
		MemoryBytes:     uint64(found.memory_bytes),
		Multiprocessors: uint32(found.multiprocessors),
		ComputeMajor:    uint32(found.major),
		ComputeMinor:    uint32(found.minor),
		DriverVersion:   uint32(found.driver_version),
	}, nil
}
