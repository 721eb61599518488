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

// Options holds one field for each flag that shapes a run. Its values are as typed: New checks
// them.
type Options struct {
	// NumProcesses is the number of ranks that each host starts. RanksGiven: the user says so, and
	// Fitted leaves it.
	NumProcesses int
	RanksGiven   bool
	// Nodes is the number of hosts, or 0 for one.
	Nodes int
	// Mode is what one iteration holds: dispatch, combine or e2e.
	Mode string
	// Tokens is the number of tokens on each rank: one for all, or as many as there are ranks with
	// commas between.
	Tokens string
	// Hidden is the number of channels of a token.
	Hidden int
	// ExpertsPerRank is the number of experts on each rank.
	ExpertsPerRank int
	// Topk is the number of experts that each token selects.
	Topk int
	// NvlinkBackend is how rows reach a peer of the same host: ipc, nixl or none.
	NvlinkBackend string
	// Device is what ranks compute on: cpu, cuda, or auto for GPUs if this host has any.
	Device string
	// SharedGPU lets several ranks compute on one GPU. It asks for GPUs.
	SharedGPU bool
	// SMs is how many multiprocessors of a GPU operations may use, or 0 for all.
	SMs int
	// GPUs is the number of GPUs that ranks of this host can use, and NoGPU why there is none.
	// Multiprocessors is what each of them has at least, or 0 where SMs asks for none. They are facts
	// about the host and no flags; a plan for CPUs does without.
	GPUs            int
	NoGPU           string
	Multiprocessors int
	// Dtype is what a token's row holds on its way to the experts: fp8 or bf16.
	Dtype string
	// Layout is where the rows that a rank receives lie: expert, rank, flat or contig.
	Layout string
	// Combine is where a token's selections are summed: rank or expert.
	Combine string
	// Quantize is where rows become FP8: inside the dispatch, or outside, before it.
	Quantize string
	// Threads is the number of worker threads of each rank.
	Threads int
	// Routing is how tokens choose experts: uniform, balanced, zipf:S, hot:K or file:PATH.npy.
	Routing string
	// Seed seeds the routing, the rows and the experts' outputs.
	Seed uint64
	// Warmup is the number of iterations before the timed ones.
	Warmup int
	// Iters is the number of timed iterations; figures leave out the first.
	Iters int
	// Detail asks for what is timed besides the timed block: fresh entries, chained pairs, and on
	// GPUs graphs and kernels.
	Detail bool
	// Beside asks for what a meter and operations cost each other: gemm or stream; "" for none.
	Beside string
	// Soak asks for checked iterations instead of timed ones: how many, or for how long as 10m; "" for
	// none.
	Soak string
	// SoakCheck is after how many iterations of a soak one is checked in full at the latest; 0 lets
	// the ranks choose.
	SoakCheck int
	// SoakRound is after how long a soak takes another routing and seed; 0: never.
	SoakRound time.Duration
	// Timeout bounds the whole run, but for the duration of a soak.
	Timeout time.Duration
	// WaitTimeout bounds every single wait of the data plane.
	WaitTimeout time.Duration
	// RunID names the run in its record, its keys and its messages; New makes one if it is empty.
	RunID string
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
		Device:         automatic,
		Dtype:          "fp8",
		Layout:         epperfv1.Name(defaultLayout),
		Combine:        epperfv1.Name(defaultCombine),
		Quantize:       epperfv1.Name(defaultQuantize),
		Threads:        1,
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
	layout, combine, err := o.layout()
	if err != nil {
		return nil, err
	}
	quantize, err := o.quantize()
	if err != nil {
		return nil, err
	}
	backend, err := parse[epperfv1.NvlinkBackend]("nvlink-backend", o.NvlinkBackend, defaults.NvlinkBackend)
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
			Routing:        routing,
			Seed:           o.Seed,
			Warmup:         uint32(o.Warmup),
			Passes:         append(o.passes(mode, device), o.besidePasses(mode, meter)...),
		}},
		Device:         device,
		NvlinkBackend:  backend,
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
	names := append(extra, epperfv1.Names(value)...)
	return value, &UsageError{flag, strconv.Quote(text), "not one of " + strings.Join(names, ", "), argument(flag, good)}
}

type enum interface {
	~int32
	protoreflect.Enum
}
