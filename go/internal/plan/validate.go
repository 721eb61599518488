package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Limits of a shape are in limits.go, which is made from csrc/protocol/words.h.
const (
	// maxThreads bounds the workers of a rank: more than the cores of any socket.
	maxThreads = 256
	// maxIterations bounds warm-up and timed iterations each: durations of 64 ranks then stay
	// below 512 MiB.
	maxIterations = 1_000_000
	// maxCases bounds the cases of one plan.
	maxCases = 4_096
	// maxDuration bounds both timeouts, so that sums of them cannot overflow.
	maxDuration = 30 * 24 * time.Hour
)

// limits say what a flag's value may be whatever the other flags are, ends included.
type limits struct {
	flag     string
	min, max int64
}

var (
	ranksLimits          = limits{"num-processes", 1, maxRanks}
	tokensLimits         = limits{"tokens", 0, maxTokens}
	hiddenLimits         = limits{"hidden", hiddenMultiple, maxHidden}
	expertsPerRankLimits = limits{"experts-per-rank", 1, maxExperts}
	topkLimits           = limits{"topk", 1, maxTopk}
	threadsLimits        = limits{"threads", 1, maxThreads}
	warmupLimits         = limits{"warmup", 0, maxIterations}
	iterationsLimits     = limits{"iters", 2, maxIterations} // figures leave out the first
)

// Shapes are the limits of a case's shape.
type Shapes struct{ TopK, Experts, ExpertsOnGPUs, HiddenMultiple int }

// ShapeLimits returns them.
func ShapeLimits() Shapes { return Shapes{maxTopk, maxExperts, maxExpertsGPU, hiddenMultiple} }

// check returns a *UsageError if value is outside.
func (l limits) check(value int64) error {
	if value >= l.min && value <= l.max {
		return nil
	}
	problem := fmt.Sprintf("must be %s to %s", thousands(l.min), thousands(l.max))
	return &UsageError{l.flag, strconv.FormatInt(value, 10), problem, argument(l.flag, min(max(value, l.min), l.max))}
}

// Validate returns a *UsageError for the first thing that keeps p from being run by any build.
// It takes p from anywhere: nothing in it is trusted.
func Validate(p *epperfv1.Plan) error {
	if !RunID.MatchString(p.GetRunId()) {
		return &UsageError{"run-id", strconv.Quote(p.GetRunId()), "must be " + RunIDForm, ""}
	}
	if cases := len(p.GetCases()); cases < 1 || cases > maxCases {
		return &UsageError{"cases", strconv.Itoa(cases), fmt.Sprintf("must be 1 to %s", thousands(maxCases)), ""}
	}
	for _, c := range p.GetCases() {
		if err := validateCase(c, p.GetDevice()); err != nil {
			return err
		}
		if err := validateSMs(c, p.GetDevice()); err != nil {
			return err
		}
		if err := validateKernel(c, p); err != nil {
			return err
		}
		// One set of processes runs all cases.
		if first := p.GetCases()[0]; c.GetRanks() != first.GetRanks() {
			return &UsageError{"num-processes", count(c.GetRanks()), "differs between cases", argument("num-processes", first.GetRanks())}
		}
	}
	ranks, onHost := p.GetCases()[0].GetRanks(), p.GetRanksPerHost()
	if onHost < 1 || onHost > ranks || ranks%onHost != 0 {
		return &UsageError{"num-processes", count(onHost), fmt.Sprintf("does not divide the %d ranks into hosts", ranks), ""}
	}
	if p.ThreadsPerRank != nil {
		if err := threadsLimits.check(int64(p.GetThreadsPerRank())); err != nil {
			return err
		}
	}
	if err := known("device", p.GetDevice()); err != nil {
		return err
	}
	if p.GetSharedGpu() && p.GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return &UsageError{"device", epperfv1.Name(p.GetDevice()), "no GPUs that ranks could share", argument("device", epperfv1.Name(epperfv1.Device_DEVICE_CUDA))}
	}
	if err := known("nvlink-backend", p.GetNvlinkBackend()); err != nil {
		return err
	}
	if err := validateNics(p); err != nil {
		return err
	}
	if err := validateTimeout("timeout", p.GetTimeoutNs()); err != nil {
		return err
	}
	return validateTimeout("wait-timeout", p.GetWaitTimeoutNs())
}

func validateCase(c *epperfv1.Case, device epperfv1.Device) error {
	for _, field := range []struct {
		limits limits
		value  uint32
	}{
		{ranksLimits, c.GetRanks()},
		{hiddenLimits, c.GetHidden()},
		{expertsPerRankLimits, c.GetExpertsPerRank()},
		{topkLimits, c.GetTopk()},
		{warmupLimits, c.GetWarmup()},
	} {
		if err := field.limits.check(int64(field.value)); err != nil {
			return err
		}
	}
	if c.Operates() {
		if err := known("mode", c.GetMode()); err != nil {
			return err
		}
	}
	if err := known("dtype", c.GetDtype()); err != nil {
		return err
	}
	if hidden := c.GetHidden(); hidden%hiddenMultiple != 0 {
		next := (hidden/hiddenMultiple + 1) * hiddenMultiple
		return &UsageError{"hidden", count(hidden), fmt.Sprintf("must be a multiple of %d", hiddenMultiple), argument("hidden", next)}
	}
	if err := validatePasses(c, device); err != nil {
		return err
	}
	ranks, onRank := int(c.GetRanks()), int(c.GetExpertsPerRank())
	if experts := ranks * onRank; experts > maxExperts {
		problem := fmt.Sprintf("%d ranks would have %s experts, more than %s", ranks, thousands(experts), thousands(maxExperts))
		return &UsageError{"experts-per-rank", strconv.Itoa(onRank), problem, argument("experts-per-rank", maxExperts/ranks)}
	}
	if experts := Experts(c); int(c.GetTopk()) > experts {
		problem := fmt.Sprintf("a token cannot select more than the %d experts there are", experts)
		return &UsageError{"topk", count(c.GetTopk()), problem, argument("topk", experts)}
	}
	if err := validateLayout(c); err != nil {
		return err
	}
	if err := validateQuantize(c); err != nil {
		return err
	}
	if err := validateRouting(c); err != nil {
		return err
	}
	return validateTokens(c)
}

func validateTokens(c *epperfv1.Case) error {
	tokens := c.GetTokensOfRank()
	if len(tokens) != int(c.GetRanks()) {
		return &UsageError{"tokens", fmt.Sprintf("(%d values)", len(tokens)), fmt.Sprintf("must be one for each of the %d ranks", c.GetRanks()), ""}
	}
	for _, onRank := range tokens {
		if err := tokensLimits.check(int64(onRank)); err != nil {
			return err
		}
	}
	if slices.Max(tokens) == 0 {
		return &UsageError{"tokens", "0", "at least one rank needs a token", "--tokens=1"}
	}
	return nil
}

func validateTimeout(flag string, ns uint64) error {
	if ns > 0 && ns <= uint64(maxDuration) {
		return nil
	}
	value := time.Duration(min(ns, math.MaxInt64))
	return &UsageError{flag, value.String(), fmt.Sprintf("must be more than 0 and at most %s", maxDuration), argument(flag, min(max(value, time.Second), maxDuration))}
}

// known returns a *UsageError for a value that is unspecified or has no name here.
func known(flag string, value protoreflect.Enum) error {
	if !epperfv1.Known(value) {
		return &UsageError{flag, strconv.Itoa(int(value.Number())), "not known here", ""}
	}
	return nil
}

func argument(flag string, value any) string { return fmt.Sprintf("--%s=%v", flag, value) }

func count(value uint32) string { return strconv.FormatUint(uint64(value), 10) }

// thousands writes 65535 as 65,535.
func thousands[N int | int64](value N) string {
	digits := strconv.FormatInt(int64(value), 10)
	for end := len(digits) - 3; end > 0; end -= 3 {
		digits = digits[:end] + "," + digits[end:]
	}
	return digits
}
