// Package plan turns what a user asks for into the Plan that every process of a run computes
// from, and says what is wrong with one.
package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Options holds one field for each flag that shapes a run: Flags says what it is. Its values are as
// typed: New checks them.
type Options struct {
	NumProcesses   int
	Mode           string
	Tokens         string
	Hidden         int
	ExpertsPerRank int
	Topk           int
	NvlinkBackend  string
	NicMemory      string
	GPUFlush       string
	Device         string
	SharedGPU      bool
	SMs            int
	Dtype          string
	Layout         string
	Combine        string
	Quantize       string
	Kernel         string
	Threads        int
	Bind           string
	Routing        string
	Seed           uint64
	Warmup         int
	Iters          int
	Detail         bool
	Beside         string
	Soak           string
	SoakCheck      int
	SoakRound      time.Duration
	Timeout        time.Duration
	WaitTimeout    time.Duration

	// RanksGiven: the user says how many ranks there are, and Fitted leaves it.
	RanksGiven bool
	// Nodes is the number of hosts, or 0 for one.
	Nodes int
	// RunID names the run in its record, its keys and its messages; New makes one if it is empty.
	RunID string
	// GPUs is the number of GPUs that ranks of this host can use, and NoGPU why there is none.
	// Multiprocessors is what each of them has at least, or 0 where SMs asks for none. They are facts
	// about the host and no flags; a plan for CPUs does without.
	GPUs            int
	NoGPU           string
	Multiprocessors int
}

// A Flag is a field of Options as it is typed.
type Flag struct {
	Name string
	// Value returns where it is: an *int, *uint64, *bool, *string or *time.Duration.
	Value func(*Options) any
	// Otherwise says what a default means that does not say so itself; may be empty.
	Otherwise string
	Usage     string
}

// Flags are all that shape a run. A new one gets a line here, and what New makes of it.
func Flags() []Flag {
	return []Flag{
		{"num-processes", func(o *Options) any { return &o.NumProcesses }, "auto", "number of ranks on this host, a process each; auto is one on each of 2 to 8 GPUs, else 8 on CPUs"},
		{"mode", func(o *Options) any { return &o.Mode }, "", "what one iteration is: dispatch, combine or e2e"},
		{"tokens", func(o *Options) any { return &o.Tokens }, "", "tokens on each rank, or one number per rank: 128,0,64"},
		{"hidden", func(o *Options) any { return &o.Hidden }, "", "hidden dimension, a multiple of 8"},
		{"experts-per-rank", func(o *Options) any { return &o.ExpertsPerRank }, "", "experts on each rank"},
		{"topk", func(o *Options) any { return &o.Topk }, "", "experts that each token selects"},
		{"nvlink-backend", func(o *Options) any { return &o.NvlinkBackend }, "", "how rows reach other ranks: ipc maps memory of one host; nixl maps it within a host, of GPUs by NIXL, and posts between hosts of CPUs; none maps nothing and is TCP on CPUs"},
		{"nic-memory", func(o *Options) any { return &o.NicMemory }, "", "whose memory NICs read and write where GPUs' ranks are not mapped: gpu, host for a staged copy, or auto for gpu where CUDA and NICs allow it"},
		{"gpu-flush", func(o *Options) any { return &o.GPUFlush }, "", "whether a GPU is told to show its kernels what NICs wrote to its memory: auto where CUDA says so, always or never to see what that costs or mends"},
		{"warmup", func(o *Options) any { return &o.Warmup }, "", "iterations before the timed ones"},
		{"iters", func(o *Options) any { return &o.Iters }, "", "timed iterations; figures leave out the first"},
		{"device", func(o *Options) any { return &o.Device }, "", "what ranks compute on: cpu, cuda, or auto for GPUs if this host has any"},
		{"shared-gpu", func(o *Options) any { return &o.SharedGPU }, "", "let several ranks compute on one GPU: checks what is right, measures nothing"},
		{"sms", func(o *Options) any { return &o.SMs }, "all", "streaming multiprocessors of a GPU that operations may use; 0 for all"},
		{"dtype", func(o *Options) any { return &o.Dtype }, "", "what a token travels to its experts as: fp8 or bf16"},
		{"layout", func(o *Options) any { return &o.Layout }, "", "where received rows lie: " + names[epperfv1.Layout]()},
		{"combine", func(o *Options) any { return &o.Combine }, "", "where a token's selections are summed: rank, or expert for a row each that comes back"},
		{"quantize", func(o *Options) any { return &o.Quantize }, "", "where rows become FP8: inside the dispatch, or outside, so that codes and scales are its input"},
		{"kernel", func(o *Options) any { return &o.Kernel }, "", "which kernels a GPU runs: " + names[epperfv1.Kernel]() + "; auto goes by the tokens"},
		{"threads", func(o *Options) any { return &o.Threads }, "", "worker threads of each rank"},
		{"bind", func(o *Options) any { return &o.Bind }, "", "where ranks run: numa, on CPUs and memory of their GPU's NUMA node or of one each, or none for wherever this process may"},
		{"routing", func(o *Options) any { return &o.Routing }, "", "how tokens choose experts: " + epperfv1.RoutingForms()},
		{"seed", func(o *Options) any { return &o.Seed }, "", "seeds routing, rows and expert outputs"},
		{"timeout", func(o *Options) any { return &o.Timeout }, "", "limit for the whole run, in seconds or as 2m30s"},
		{"wait-timeout", func(o *Options) any { return &o.WaitTimeout }, "", "limit for every wait of the data plane"},
		{"detail", func(o *Options) any { return &o.Detail }, "", "time fresh entries, chained pairs and on GPUs graphs and kernels, too, and say what share of the machine's limit was reached"},
		{"beside", func(o *Options) any { return &o.Beside }, "none", "run a meter on the multiprocessors that --sms leaves, gemm or stream, and time what it and operations cost each other"},
		{"soak", func(o *Options) any { return &o.Soak }, "none", "check iterations instead of timing them: how many, as 100000, or for how long, as 10m"},
		{"soak-round", func(o *Options) any { return &o.SoakRound }, "", "after how long a soak connects anew, with another routing and seed; 0 is never"},
		{"soak-check", func(o *Options) any { return &o.SoakCheck }, "auto", "check one in so many of a soak in full; auto is as many as take half of the time"},
	}
}

// Defaults returns what is run if no flag is given. No other place states a default.
func Defaults() Options {
	return Options{
		NumProcesses:   8,
		Mode:           "e2e",
		Tokens:         "512",
		Hidden:         4096,
		ExpertsPerRank: 8,
		Topk:           2,
		NvlinkBackend:  "ipc",
		NicMemory:      usual[epperfv1.NicMemory](),
		GPUFlush:       usual[epperfv1.GpuFlush](),
		Device:         automatic,
		Dtype:          "fp8",
		Layout:         usual[epperfv1.Layout](),
		Combine:        usual[epperfv1.CombineSum](),
		Quantize:       usual[epperfv1.Quantize](),
		Kernel:         usual[epperfv1.Kernel](),
		Threads:        1,
		Bind:           usual[epperfv1.Bind](),
		Routing:        "uniform",
		Seed:           1,
		Warmup:         10,
		Iters:          100,
		Timeout:        300 * time.Second,
		WaitTimeout:    10 * time.Second,
		SoakRound:      usualRound,
	}
}

// New returns the plan of one case. The error is a *UsageError for a value that no build or this
// host cannot run, or a *NoGPUError.
func New(o Options) (*epperfv1.Plan, error) {
	plan, err := o.plan()
	if err != nil {
		return nil, err
	}
	if err := Validate(plan); err != nil {
		return nil, err
	}
	if err := o.enoughGPUs(plan); err != nil {
		return nil, err
	}
	return plan, nil
}

// plan converts the fields one by one. What it lets through may still be no plan: relations
// between fields are left to Validate.
func (o Options) plan() (*epperfv1.Plan, error) {
	// Flags are signed and the plan's fields are not, so ranges are checked before they convert.
	for _, field := range []struct {
		limits limits
		value  int
	}{
		{ranksLimits, o.NumProcesses},
		{hiddenLimits, o.Hidden},
		{expertsPerRankLimits, o.ExpertsPerRank},
		{topkLimits, o.Topk},
		{threadsLimits, o.Threads},
		{smsLimits, o.SMs},
		{warmupLimits, o.Warmup},
		{iterationsLimits, o.Iters},
	} {
		if err := field.limits.check(int64(field.value)); err != nil {
			return nil, err
		}
	}
	defaults := Defaults()
	for _, field := range []struct {
		flag        string
		value, good time.Duration
	}{
		{"timeout", o.Timeout, defaults.Timeout},
		{"wait-timeout", o.WaitTimeout, defaults.WaitTimeout},
	} {
		if field.value <= 0 {
			return nil, &UsageError{field.flag, field.value.String(), "must be more than 0", argument(field.flag, field.good)}
		}
	}
	mode, err := parse[epperfv1.Mode]("mode", o.Mode, defaults.Mode)
	if err != nil {
		return nil, err
	}
	dtype, err := parse[epperfv1.Dtype]("dtype", o.Dtype, defaults.Dtype)
	if err != nil {
		return nil, err
	}
	layout, err := choice[epperfv1.Layout]("layout", o.Layout)
	if err != nil {
		return nil, err
	}
	combine, err := choice[epperfv1.CombineSum]("combine", o.Combine)
	if err != nil {
		return nil, err
	}
	quantize, err := choice[epperfv1.Quantize]("quantize", o.Quantize)
	if err != nil {
		return nil, err
	}
	kernel, err := choice[epperfv1.Kernel]("kernel", o.Kernel)
	if err != nil {
		return nil, err
	}
	backend, err := parse[epperfv1.NvlinkBackend]("nvlink-backend", o.NvlinkBackend, defaults.NvlinkBackend)
	if err != nil {
		return nil, err
	}
	nicMemory, err := choice[epperfv1.NicMemory]("nic-memory", o.NicMemory)
	if err != nil {
		return nil, err
	}
	gpuFlush, err := choice[epperfv1.GpuFlush]("gpu-flush", o.GPUFlush)
	if err != nil {
		return nil, err
	}
	bind, err := choice[epperfv1.Bind]("bind", o.Bind)
	if err != nil {
		return nil, err
	}
	device, err := o.device()
	if err != nil {
		return nil, err
	}
	meter, err := o.meter(device)
	if err != nil {
		return nil, err
	}
	runID := o.RunID
	if runID == "" {
		runID = newRunID()
	}
	ranks := max(o.Nodes, 1) * o.NumProcesses
	if ranks > maxRanks {
		return nil, &UsageError{
			"nnodes", strconv.Itoa(o.Nodes), fmt.Sprintf("%d ranks in all, more than %d", ranks, maxRanks),
			argument("num-processes", max(maxRanks/o.Nodes, 1)),
		}
	}
	tokens, err := tokensOfRank(o.Tokens, ranks)
	if err != nil {
		return nil, err
	}
	routing, err := parseRouting(o.Routing)
	if err != nil {
		return nil, err
	}
	made := &epperfv1.Plan{
		RunId: runID,
		Cases: []*epperfv1.Case{{
			Mode:           mode,
			Ranks:          uint32(ranks),
			TokensOfRank:   tokens,
			Hidden:         uint32(o.Hidden),
			ExpertsPerRank: uint32(o.ExpertsPerRank),
			Topk:           uint32(o.Topk),
			Dtype:          dtype,
			Layout:         layout,
			Combine:        combine,
			Quantize:       quantize,
			Sms:            uint32(o.SMs),
			Kernel:         kernel,
			Routing:        routing,
			Seed:           o.Seed,
			Warmup:         uint32(o.Warmup),
			Passes:         append(o.passes(mode, device), o.besidePasses(mode, meter)...),
		}},
		Device:         device,
		NvlinkBackend:  backend,
		NicMemory:      nicMemory,
		GpuFlush:       gpuFlush,
		Bind:           bind,
		RanksPerHost:   uint32(o.NumProcesses),
		WaitTimeoutNs:  uint64(o.WaitTimeout),
		TimeoutNs:      uint64(o.Timeout),
		ThreadsPerRank: new(uint32(o.Threads)),
		SharedGpu:      o.SharedGPU,
	}
	return made, o.addSoak(made)
}

// tokensOfRank reads --tokens for a number of ranks.
func tokensOfRank(text string, ranks int) ([]uint32, error) {
	var tokens []uint32
	for _, value := range strings.Split(text, ",") {
		number, err := strconv.ParseInt(value, 10, 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return nil, &UsageError{"tokens", strconv.Quote(text), "neither a number nor one for each rank", argument("tokens", Defaults().Tokens)}
		}
		var usage *UsageError
		if errors.As(tokensLimits.check(number), &usage) {
			usage.Value = value // of what 64 bits do not hold, number is only the end
			return nil, usage
		}
		tokens = append(tokens, uint32(number))
	}
	if len(tokens) == 1 {
		return slices.Repeat(tokens, ranks), nil
	}
	if len(tokens) != ranks {
		problem := fmt.Sprintf("has %d numbers for %d ranks", len(tokens), ranks)
		return nil, &UsageError{"tokens", text, problem, argument("tokens", tokens[0])}
	}
	return tokens, nil
}

// parse reads an enum's name. good is a value to suggest; extra are names that the flag takes
// besides the enum's.
func parse[E enum](flag, text, good string, extra ...string) (E, error) {
	value, ok := epperfv1.Parse[E](text)
	if ok {
		return value, nil
	}
	names := append(extra, slices.DeleteFunc(epperfv1.Names(value), func(name string) bool { return BackendNamed(name).Hidden })...)
	return value, &UsageError{flag, strconv.Quote(text), "not one of " + strings.Join(names, ", "), argument(flag, good)}
}

// usual names an enum's first value, which is what a case has unless it says otherwise.
func usual[E enum]() string { return epperfv1.Name(E(1)) }

// names lists an enum's names for people.
func names[E enum]() string {
	all := epperfv1.Names(E(0))
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// choice reads the name of an enum that has a usual value. It is left out of the plan: whoever asks for
// nothing has asked for the same before there was a choice.
func choice[E enum](flag, text string) (E, error) {
	value, err := parse[E](flag, text, usual[E]())
	if value == 1 {
		value = 0
	}
	return value, err
}

type enum interface {
	~int32
	protoreflect.Enum
}
