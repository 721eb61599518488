// Package native drives the C++ core through its C interface: the only package with cgo.
//
// An Engine is one rank. One C call runs a whole block of iterations, so that nothing of Go lies
// inside the timed window.
package native

/*
#include <stdlib.h>

#include "csrc/abi/ep.h"
*/
import "C"

import (
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// The core and the workload count sets of weights alike.
var _ [workload.Sets]struct{} = [C.EP_SETS]struct{}{}

// maxBlobBytes is room for any transport's blob.
const maxBlobBytes = 64 << 10

// A Config is what an Engine is made from.
type Config struct {
	Case   *epperfv1.Case
	Rank   int
	Device epperfv1.Device
	// Backend is how the rank reaches its peers.
	Backend epperfv1.NvlinkBackend
	// NicMemory is where messages come from and go to. Of device cuda only.
	NicMemory epperfv1.NicMemory
	// GPUFlush is whether the GPU is told to show what NICs have written. Of device cuda only.
	GPUFlush epperfv1.GpuFlush
	// NIXL is where its library is. Not of backend ipc.
	NIXL NIXL
	// RunID names the run's ranks to NIXL. Not of backend ipc.
	RunID string
	// Host tells hosts apart: ranks that say the same can map each other's memory. None can without.
	Host string
	// GPU is where the rank computes, as DescribeGPU counts. Of device cuda only.
	GPU int
	// RanksOnGPU share that GPU, this rank among them: 1 or more. Of device cuda only.
	RanksOnGPU int
	// CPUs that the workers of all the case's ranks share, whichever launcher started them: the
	// ranks of a case are of one host. With fewer than workers, waits give theirs away.
	CPUs int
	// RanksOnHost share those CPUs, this rank among them: 1 or more. While nothing is timed, each
	// makes and checks rows with as many threads as it has a share.
	RanksOnHost int
	// FlushBytes are written by FlushCaches. Of device cpu only.
	FlushBytes uint64
	// Threads are the rank's workers on a CPU, 1 or more.
	Threads     int
	WaitTimeout time.Duration
	// Routing is the case's. Its ids are copied.
	Routing *workload.Routing
}

// NIXL is folders with the layout of its wheel; empty where there is none.
type NIXL struct {
	// Root is one that the user named: it must have the library.
	Root string
	// Candidate may have it; else the system must.
	Candidate string
}

// An Engine is one rank's data plane. It implements measure.Engine.
type Engine struct {
	of *epperfv1.Case

	// Guards engine against Close while Abort runs; the other calls come from one goroutine.
	mu     sync.Mutex
	engine *C.ep_engine
}

// Open makes an engine and its memory.
func Open(config Config) (*Engine, error) {
	c := config.Case
	ids := config.Routing.IDs()
	var weights []float32 // [sets, tokens, topk]
	for set := range workload.Sets {
		weights = append(weights, config.Routing.Weights(config.Rank, set)...)
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	root, candidate, runID := optional(config.NIXL.Root), optional(config.NIXL.Candidate), C.CString(config.RunID)
	host := optional(config.Host)
	defer C.free(unsafe.Pointer(host))
	defer C.free(unsafe.Pointer(root))
	defer C.free(unsafe.Pointer(candidate))
	defer C.free(unsafe.Pointer(runID))
	var allWeights *C.float // [ranks, sets, tokens, topk]
	if !epperfv1.FansOut(epperfv1.LayoutOf(c)) {
		of := weightsOfAll(config.Routing, int(c.GetRanks()))
		pins.Pin(&of[0])
		allWeights = (*C.float)(&of[0])
	}
	pins.Pin(&c.TokensOfRank[0])
	pins.Pin(&ids[0])
	pins.Pin(&weights[0])
	args := C.ep_config{
		shape:           shapeOf(c),
		choices:         choicesOf(c),
		device:          C.ep_device(config.Device),
		backend:         backendOf(config.Backend),
		nic_memory:      C.ep_nic_memory(config.NicMemory),
		gpu_flush:       C.ep_gpu_flush(config.GPUFlush),
		nixl_root:       root,
		nixl_candidate:  candidate,
		run_id:          runID,
		host:            host,
		gpu:             C.uint32_t(config.GPU),
		ranks_on_gpu:    C.uint32_t(config.RanksOnGPU),
		rank:            C.uint32_t(config.Rank),
		cpus:            C.uint32_t(config.CPUs),
		ranks_on_host:   C.uint32_t(config.RanksOnHost),
		flush_bytes:     C.uint64_t(config.FlushBytes),
		threads:         C.uint32_t(config.Threads),
		seed:            C.uint64_t(c.GetSeed()),
		wait_timeout_ns: C.uint64_t(config.WaitTimeout.Nanoseconds()),
		tokens_of_rank:  (*C.uint32_t)(&c.TokensOfRank[0]),
		topk_idx:        (*C.int32_t)(&ids[0]),
		topk_weights:    (*C.float)(&weights[0]),
		all_weights:     allWeights,
		landing_rows:    C.uint32_t(c.CopiedRows()),
	}
	engine := &Engine{of: c}
	var failure C.ep_failure
	if status := C.ep_create(&args, &engine.engine, &failure); status != C.EP_OK {
		return nil, errorOf(status, &failure)
	}
	return engine, nil
}

// weightsOfAll returns what the experts' kernels apply to others' tokens where rows are kept once.
func weightsOfAll(routing *workload.Routing, ranks int) []float32 {
	var weights []float32
	for rank := range ranks {
		for set := range workload.Sets {
			weights = append(weights, routing.Weights(rank, set)...)
		}
	}
	return weights
}

// Blob returns what peers need in order to map this rank's region.
func (e *Engine) Blob() ([]byte, error) {
	blob := make([]byte, maxBlobBytes)
	var size C.size_t
	err := e.failed(C.ep_blob(e.engine, (*C.uint8_t)(&blob[0]), C.size_t(len(blob)), &size))
	if err != nil {
		return nil, err
	}
	return blob[:size], nil
}

// Connect maps all peers, given one blob a rank in rank order.
func (e *Engine) Connect(blobs [][]byte) error {
	// One byte more, so that there is an address to pass even if all blobs are empty.
	joined := make([]byte, 0, 1)
	sizes := make([]C.size_t, len(blobs)+1)
	for i, blob := range blobs {
		joined = append(joined, blob...)
		sizes[i] = C.size_t(len(blob))
	}
	joined = append(joined, 0)
	return e.failed(C.ep_connect(e.engine, (*C.uint8_t)(&joined[0]), &sizes[0], C.size_t(len(blobs))))
}

// Disconnect lets go of all peers. Connect may follow.
func (e *Engine) Disconnect() error { return e.failed(C.ep_disconnect(e.engine)) }

// MakeExpertRows makes the experts' outputs where the last dispatch put their inputs.
func (e *Engine) MakeExpertRows() error { return e.failed(C.ep_make_expert_rows(e.engine)) }

// Traffic counts the rows of one iteration.
func (e *Engine) Traffic() (*epperfv1.Traffic, error) {
	traffic := &epperfv1.Traffic{
		RowsToRank:         make([]uint64, e.of.GetRanks()),
		SelectionsOfExpert: make([]uint64, e.of.GetExpertsPerRank()),
	}
	var counts C.ep_traffic
	err := e.failed(C.ep_count_traffic(e.engine, &counts,
		(*C.uint64_t)(&traffic.RowsToRank[0]), (*C.uint64_t)(&traffic.SelectionsOfExpert[0])))
	if err != nil {
		return nil, err
	}
	traffic.Selections = uint64(counts.selections)
	traffic.RankRows = uint64(counts.rank_rows)
	traffic.RemoteRows = uint64(counts.remote_rows)
	return traffic, nil
}

// The core and measure number tensors alike.
var _ [measure.Combined]struct{} = [C.EP_COMBINED]struct{}{}

// TensorBytes returns the size of a tensor that the last pair left behind.
func (e *Engine) TensorBytes(tensor measure.Tensor) (uint64, error) {
	var bytes C.uint64_t
	err := e.failed(C.ep_tensor_bytes(e.engine, C.ep_tensor(tensor), &bytes))
	return uint64(bytes), err
}

// CopyTensor copies as many bytes as to holds, from byte offset of the tensor on.
func (e *Engine) CopyTensor(tensor measure.Tensor, offset uint64, to []byte) error {
	return e.failed(C.ep_copy_tensor(e.engine, C.ep_tensor(tensor), C.uint64_t(offset),
		(*C.uint8_t)(unsafe.SliceData(to)), C.uint64_t(len(to))))
}

// FlushCaches writes zeros through the caches: on CPUs as many as its Config says, on GPUs 256 MB.
func (e *Engine) FlushCaches() error { return e.failed(C.ep_flush_caches(e.engine)) }

// Abort ends every wait of this engine, now and later. Any goroutine may call it.
func (e *Engine) Abort() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine != nil {
		C.ep_abort(e.engine)
	}
}

// Close frees the engine's memory. Further calls do nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	C.ep_destroy(e.engine)
	e.engine = nil
	return nil
}

func (e *Engine) failed(status C.ep_status) error {
	if status == C.EP_OK {
		return nil
	}
	var failure C.ep_failure
	C.ep_last_failure(e.engine, &failure)
	return errorOf(status, &failure)
}
