package plan_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func onGPUs(memory epperfv1.NicMemory, flush epperfv1.GpuFlush, backend epperfv1.NvlinkBackend) func(*epperfv1.Plan) {
	return func(p *epperfv1.Plan) {
		p.Device, p.NicMemory, p.GpuFlush, p.NvlinkBackend = epperfv1.Device_DEVICE_CUDA, memory, flush, backend
	}
}

// A plan from a file or from a peer can say anything.
func TestValidateTrustsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*epperfv1.Plan)
		flag   string
	}{
		"no run id":                    {func(p *epperfv1.Plan) { p.RunId = "" }, "run-id"},
		"a run id of two lines":        {func(p *epperfv1.Plan) { p.RunId = "a\nb" }, "run-id"},
		"no cases":                     {func(p *epperfv1.Plan) { p.Cases = nil }, "cases"},
		"an endless sweep":             {func(p *epperfv1.Plan) { p.Cases = slices.Repeat(p.Cases, 5000) }, "cases"},
		"an empty case":                {func(p *epperfv1.Plan) { p.Cases[0] = &epperfv1.Case{} }, "num-processes"},
		"a billion ranks":              {func(p *epperfv1.Plan) { p.Cases[0].Ranks = 1e9 }, "num-processes"},
		"ranks that differ":            {withRanks(4), "num-processes"},
		"no tokens":                    {func(p *epperfv1.Plan) { p.Cases[0].TokensOfRank = nil }, "tokens"},
		"tokens of one rank too few":   {func(p *epperfv1.Plan) { p.Cases[0].TokensOfRank = p.Cases[0].TokensOfRank[:7] }, "tokens"},
		"too many tokens on one":       {func(p *epperfv1.Plan) { p.Cases[0].TokensOfRank[3] = 65_536 }, "tokens"},
		"the widest row":               {func(p *epperfv1.Plan) { p.Cases[0].Hidden = math.MaxUint32 }, "hidden"},
		"experts that overflow":        {func(p *epperfv1.Plan) { p.Cases[0].ExpertsPerRank = math.MaxUint32 }, "experts-per-rank"},
		"no choice":                    {func(p *epperfv1.Plan) { p.Cases[0].Topk = 0 }, "topk"},
		"no mode":                      {func(p *epperfv1.Plan) { p.Cases[0].Mode = 0 }, "mode"},
		"a mode from the future":       {func(p *epperfv1.Plan) { p.Cases[0].Mode = 99 }, "mode"},
		"no dtype":                     {func(p *epperfv1.Plan) { p.Cases[0].Dtype = 0 }, "dtype"},
		"a layout from the future":     {func(p *epperfv1.Plan) { p.Cases[0].Layout = 99 }, "layout"},
		"a sum from the future":        {func(p *epperfv1.Plan) { p.Cases[0].Combine = -1 }, "combine"},
		"rows that nobody keeps":       {withoutRowsOfExperts, "combine"},
		"a quantiser from the future":  {func(p *epperfv1.Plan) { p.Cases[0].Quantize = 99 }, "quantize"},
		"BF16 that is quantised":       {bf16Quantised, "quantize"},
		"no routing":                   {func(p *epperfv1.Plan) { p.Cases[0].Routing = nil }, "routing"},
		"no iterations":                {func(p *epperfv1.Plan) { p.Cases[0].Passes[0].Count = 0 }, "iters"},
		"more SMs than any GPU has":    {func(p *epperfv1.Plan) { p.Cases[0].Sms = 1 << 20 }, "sms"},
		"SMs of CPUs":                  {func(p *epperfv1.Plan) { p.Cases[0].Sms = 24 }, "sms"},
		"a kernel from the future":     {func(p *epperfv1.Plan) { p.Cases[0].Kernel, p.Device = 99, epperfv1.Device_DEVICE_CUDA }, "kernel"},
		"no device":                    {func(p *epperfv1.Plan) { p.Device = 0 }, "device"},
		"CPUs that share a GPU":        {func(p *epperfv1.Plan) { p.SharedGpu = true }, "device"},
		"graphs of nothing":            {withGraphs(0, 3), "captured iterations"},
		"a graph of everything":        {withGraphs(math.MaxUint32, 3), "captured iterations"},
		"endless replays":              {withGraphs(16, math.MaxUint32), "durations"},
		"no backend":                   {func(p *epperfv1.Plan) { p.NvlinkBackend = -1 }, "nvlink-backend"},
		"NIC memory of CPUs":           {func(p *epperfv1.Plan) { p.NicMemory = epperfv1.NicMemory_NIC_MEMORY_HOST }, "nic-memory"},
		"flushes of CPUs":              {func(p *epperfv1.Plan) { p.GpuFlush = epperfv1.GpuFlush_GPU_FLUSH_ALWAYS }, "gpu-flush"},
		"a flush from the future":      {func(p *epperfv1.Plan) { p.GpuFlush = 99 }, "gpu-flush"},
		"flushes of nothing mapped":    {onGPUs(0, epperfv1.GpuFlush_GPU_FLUSH_NEVER, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC), "gpu-flush"},
		"flushes of a host's memory":   {onGPUs(epperfv1.NicMemory_NIC_MEMORY_HOST, epperfv1.GpuFlush_GPU_FLUSH_ALWAYS, epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE), "gpu-flush"},
		"no ranks on a host":           {func(p *epperfv1.Plan) { p.RanksPerHost = 0 }, "num-processes"},
		"more ranks on a host than":    {func(p *epperfv1.Plan) { p.RanksPerHost = 16 }, "num-processes"},
		"hosts of different size":      {func(p *epperfv1.Plan) { p.RanksPerHost = 3 }, "num-processes"},
		"no time":                      {func(p *epperfv1.Plan) { p.TimeoutNs = 0 }, "timeout"},
		"more time than a clock holds": {func(p *epperfv1.Plan) { p.WaitTimeoutNs = math.MaxUint64 }, "wait-timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			p := valid(t)
			test.change(p)
			var usage *plan.UsageError
			if err := plan.Validate(p); !errors.As(err, &usage) || usage.Flag != test.flag {
				t.Errorf("Validate: %v; want a UsageError of --%s", err, test.flag)
			}
		})
	}
}

func withoutRowsOfExperts(p *epperfv1.Plan) {
	p.Cases[0].Layout, p.Cases[0].Combine = epperfv1.Layout_LAYOUT_RANK, epperfv1.CombineSum_COMBINE_SUM_EXPERT
}

func bf16Quantised(p *epperfv1.Plan) {
	p.Cases[0].Dtype, p.Cases[0].Quantize = epperfv1.Dtype_DTYPE_BF16, epperfv1.Quantize_QUANTIZE_OUTSIDE
}

func TestValidateRefusesNil(t *testing.T) {
	if err := plan.Validate(nil); err == nil {
		t.Error("Validate(nil) succeeded")
	}
	if err := plan.Validate(&epperfv1.Plan{RunId: "a", Cases: []*epperfv1.Case{nil}}); err == nil {
		t.Error("Validate of a nil case succeeded")
	}
}

// A record of another build is no worse a plan.
func TestValidateKnowsOtherBuilds(t *testing.T) {
	p := valid(t)
	p.Device, p.NvlinkBackend = epperfv1.Device_DEVICE_CUDA, epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE
	p.RanksPerHost = 2
	p.Cases[0].TokensOfRank = []uint32{0, 0, 0, 0, 0, 0, 0, 1}
	if err := plan.Validate(p); err != nil {
		t.Errorf("Validate: %v", err)
	}
}

func TestHashLeavesOutTheRunIDAlone(t *testing.T) {
	p := valid(t)
	hash := plan.Hash(p)
	if len(hash) != 32 {
		t.Errorf("a hash of %d bytes", len(hash))
	}
	other := proto.CloneOf(p)
	other.RunId = "another"
	if !bytes.Equal(hash, plan.Hash(other)) {
		t.Error("two run ids have two hashes")
	}
	other.Cases[0].Seed++
	if bytes.Equal(hash, plan.Hash(other)) {
		t.Error("two seeds have one hash")
	}
	if p.GetRunId() == "" {
		t.Error("Hash changed the plan")
	}
}

func TestCountsOfAPlan(t *testing.T) {
	p := valid(t)
	p.RanksPerHost = 2
	p.Cases[0].TokensOfRank[5] = 600
	over := proto.CloneOf(p)
	over.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL
	for name, pair := range map[string][2]int{
		"ranks":                     {plan.RankCount(p), 8},
		"ranks that are mapped":     {plan.RanksOnHost(p), 8},
		"ranks of a launcher":       {plan.RanksOnHost(over), 2},
		"hosts":                     {plan.HostCount(p), 4},
		"experts":                   {plan.Experts(p.Cases[0]), 64},
		"most tokens":               {plan.MaxTokens(p.Cases[0]), 600},
		"ranks of no plan":          {plan.RankCount(nil), 0},
		"hosts of no plan":          {plan.HostCount(nil), 0},
		"most tokens of no rank":    {plan.MaxTokens(nil), 0},
		"experts of no case at all": {plan.Experts(nil), 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d; want %d", name, pair[0], pair[1])
		}
	}
	if got := plan.CaseName(p.Cases[0]); got != "e2e/t600/k2" {
		t.Errorf("CaseName = %s; want e2e/t600/k2", got)
	}
}

// withRanks adds a case of another number of ranks.
func withRanks(ranks uint32) func(*epperfv1.Plan) {
	return func(p *epperfv1.Plan) {
		other := proto.CloneOf(p.Cases[0])
		other.Ranks, other.TokensOfRank = ranks, other.TokensOfRank[:ranks]
		p.Cases = append(p.Cases, other)
	}
}

// withGraphs adds a pass of graphs.
func withGraphs(operations, replays uint32) func(*epperfv1.Plan) {
	return func(p *epperfv1.Plan) {
		p.Device = epperfv1.Device_DEVICE_CUDA
		p.Cases[0].Passes = append(p.Cases[0].Passes, &epperfv1.Pass{
			Kind: epperfv1.Pass_KIND_GRAPH, Operation: epperfv1.Mode_MODE_E2E, Captured: operations, Count: replays,
		})
	}
}

func valid(t *testing.T) *epperfv1.Plan {
	t.Helper()
	p, err := plan.New(plan.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return p
}
