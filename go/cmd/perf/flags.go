package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/expect"
	"github.com/epperf/epperf/go/internal/plan"
)

// runFlags are the flags of the root command: the whole plan of one case, where its record goes,
// and what is shown meanwhile.
func runFlags() []cli.Flag {
	flags := append(planFlags(plan.Defaults(), nil),
		&cli.StringFlag{Name: nixlRootFlag, EnvVars: []string{"EPPERF_NIXL_ROOT"}, Usage: "folder of an unpacked NIXL wheel; without, the one that was built with, then the system's"},
		&cli.BoolFlag{Name: "skip-nic-discovery", Usage: "leave the choice of NICs to UCX; on CPUs there is none to make"},
		&cli.GenericFlag{Name: "nics-per-gpu", Value: newDecimal(1), Usage: "NICs that each rank on a GPU uses, the nearest first"},
		&cli.StringFlag{Name: "nic-map", Usage: "NICs of GPUs instead of the nearest: 0=mlx5_0,1=mlx5_1+mlx5_2"},
		&cli.StringFlag{Name: "output", Value: "epperf-results", Usage: "folder for the record"},
		&cli.StringFlag{Name: dumpFlag, Usage: "new folder for what ranks sent, received and summed last, as .npy files"},
		&cli.BoolFlag{Name: "quiet", Usage: "no progress bar"},
		&cli.StringFlag{Name: "calibration", DefaultText: "newest", Usage: "record of perf calibrate for --detail; else the newest of this machine in the output folder"},
		&cli.BoolFlag{Name: "explain", Usage: "print plan, memory and bytes, and run nothing"},
		&cli.StringFlag{Name: "expect", Usage: "print what is expected beside it, by a file or the table seed-dfw; exit code 2: not comparable, 3: worse"},
	)
	return command.InGroups(slices.Concat(flags, launchFlags(), partyFlags()), groups...)
}

// groups are how --help shows flags, as README.md does.
var groups = withRest([]command.Group{
	{Name: "Shape: what is sent", Flags: []string{
		"tokens", "hidden", "experts-per-rank", "topk", "dtype", "routing", "seed", "layout", "combine", "quantize", "model", planFlag,
	}},
	{Name: "Run: what is done with it", Flags: []string{
		"num-processes", "mode", "warmup", "iters", "rounds", "device", "shared-gpu", "sms", "threads", "detail", "beside", "calibration", "timeout", "wait-timeout",
		"soak", "soak-check", "soak-round", "explain", launchesFlag, againstFlag, thresholdFlag, resumeFlag,
	}},
	{Name: "Backend: how rows reach other ranks", Flags: []string{"nvlink-backend", nixlRootFlag, "skip-nic-discovery", "nics-per-gpu", "nic-map"}},
	{Name: "Several hosts", Flags: []string{
		"nnodes", "node-rank", startedByFlag, "run-id", "host-id", "master-addr", "etcd-endpoints", "certs", "etcd-ca", "etcd-cert", "etcd-key",
	}},
	{Name: "Output: what is left", Flags: []string{"output", dumpFlag, "quiet", "expect"}},
})

// withRest adds to the group of what is done those flags of a plan that no group names.
func withRest(groups []command.Group) []command.Group {
	for _, f := range plan.Flags() {
		if !slices.ContainsFunc(groups, func(g command.Group) bool { return slices.Contains(g.Flags, f.Name) }) {
			groups[1].Flags = append(groups[1].Flags, f.Name)
		}
	}
	return groups
}

// planFlags are those that the plan is made of; with words for some of them, these alone.
func planFlags(defaults plan.Options, words map[string]string) []cli.Flag {
	var flags []cli.Flag
	for _, f := range plan.Flags() {
		usage, has := words[f.Name]
		if words != nil && !has {
			continue
		}
		f.Usage = cmp.Or(usage, f.Usage)
		switch value := f.Value(&defaults).(type) {
		case *int:
			flags = append(flags, &cli.GenericFlag{Name: f.Name, Value: newDecimal(*value), DefaultText: f.Otherwise, Usage: f.Usage})
		case *uint64:
			flags = append(flags, &cli.GenericFlag{Name: f.Name, Value: newDecimal(*value), DefaultText: f.Otherwise, Usage: f.Usage})
		case *time.Duration:
			flags = append(flags, &cli.GenericFlag{Name: f.Name, Value: newSpan(*value), DefaultText: f.Otherwise, Usage: f.Usage})
		case *bool:
			flags = append(flags, &cli.BoolFlag{Name: f.Name, Usage: f.Usage})
		case *string:
			flags = append(flags, &cli.StringFlag{Name: f.Name, Value: *value, DefaultText: f.Otherwise, Usage: f.Usage})
		}
	}
	return flags
}

// optionsOf reads planFlags into options, but for those that the command has not.
func optionsOf(c *cli.Context, o plan.Options, has func(name string) bool) plan.Options {
	for _, f := range plan.Flags() {
		if !has(f.Name) {
			continue
		}
		switch value := f.Value(&o).(type) {
		case *int:
			*value = decimalOf[int](c, f.Name)
		case *uint64:
			*value = decimalOf[uint64](c, f.Name)
		case *time.Duration:
			*value = spanOf(c, f.Name)
		case *bool:
			*value = c.Bool(f.Name)
		case *string:
			*value = c.String(f.Name)
		}
	}
	o.RanksGiven = c.IsSet("num-processes")
	return o
}

// A decimal is a flag's number. All flags read numbers by one rule, in base ten: the flag parser's own
// would take 010 for 8 and 0x10 for 16, beside lists of numbers that do not.
type decimal[T int | uint64] struct{ value T }

func newDecimal[T int | uint64](value T) *decimal[T] { return &decimal[T]{value} }

func (d *decimal[T]) Set(text string) (err error) {
	switch value := any(&d.value).(type) {
	case *int:
		*value, err = strconv.Atoi(text)
	case *uint64:
		*value, err = strconv.ParseUint(text, 10, 64)
	}
	if errors.Is(err, strconv.ErrRange) {
		return strconv.ErrRange
	}
	if err != nil {
		return errors.New("not a number in decimal digits")
	}
	return nil
}

func (d *decimal[T]) String() string {
	if d.value < 0 {
		return strconv.FormatInt(int64(d.value), 10)
	}
	return strconv.FormatUint(uint64(d.value), 10)
}

func decimalOf[T int | uint64](c *cli.Context, name string) T {
	return c.Generic(name).(*decimal[T]).value
}

// A span is a flag's time.Duration that may be typed as a number of seconds.
type span time.Duration

func newSpan(d time.Duration) *span { return (*span)(&d) }

func (s *span) Set(text string) error {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		*s = span(time.Duration(seconds) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("neither seconds nor a time such as 90s or 2m30s")
	}
	*s = span(d)
	return nil
}

func (s *span) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'f', -1, 64) + "s"
}

func spanOf(c *cli.Context, name string) time.Duration {
	return time.Duration(*c.Generic(name).(*span))
}

const (
	launchesFlag  = "launches"
	againstFlag   = "against"
	thresholdFlag = "threshold"
)

func launchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: launchesFlag, Value: newDecimal(0), DefaultText: "none", Usage: "launch this build and another so often, in turns, and compare them; exit code 3 is a regression"},
		&cli.StringFlag{Name: againstFlag, Usage: "perf of the other build, the older one"},
		&cli.StringFlag{Name: thresholdFlag, DefaultText: compare.DefaultThreshold, Usage: "the change that matters to --launches"},
	}
}

// expectedOf reads what is expected of a measurement; nil where nothing is.
func expectedOf(c *cli.Context) (*expect.Table, error) {
	name := c.String("expect")
	switch {
	case name == "":
		return nil, nil
	case c.String("soak") != "":
		return nil, command.Usagef("--expect: a soak has no figures; leave out --soak")
	}
	table, err := expect.Load(name)
	if err != nil {
		return nil, command.Usagef("--expect: %w", err)
	}
	return table, nil
}
