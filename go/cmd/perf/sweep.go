package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// ladders are the flags of a run that a sweep takes lists for, and what they are then.
var ladders = map[string]string{
	"mode":    "modes, with commas between",
	"tokens":  "tokens on each rank: a ladder, 1,8,32",
	"dtype":   "dtypes",
	"layout":  "layouts",
	"sms":     "multiprocessors that operations may use; 0 for all",
	"routing": "routings",
}

// notSwept are the flags of a run that a sweep does not have.
var notSwept = map[string]bool{dumpFlag: true, "soak": true, "soak-check": true, "soak-round": true, "explain": true}

const (
	planFlag   = "plan"
	resumeFlag = "resume"
	// never keeps a sweep from going on with a record.
	never = "never"
)

// goingOn are the flags that a sweep takes which goes on with a record: the rest is the record's.
var goingOn = map[string]bool{
	resumeFlag: true, "quiet": true, nixlRootFlag: true, "nics-per-gpu": true, "nic-map": true, "skip-nic-discovery": true, "output": true,
}

func sweepCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "shapes of models, instead of --hidden, --experts-per-rank and --topk: " + strings.Join(plan.ModelNames(), ", ")},
		&cli.StringFlag{Name: planFlag, Usage: "file with ladders, a Sweep of plan.proto in protobuf's text format; flags are what it leaves out"},
		&cli.StringFlag{
			Name: resumeFlag, DefaultText: "one of the same plan in the output folder",
			Usage: "record of a sweep that did not come to its end, to go on with, of several launchers with the same flags as then; never begins anew",
		},
	}
	for _, flag := range runFlags() {
		name := flag.Names()[0]
		usage, ladder := ladders[name]
		switch {
		case ladder:
			flags = append(flags, &cli.StringFlag{Name: name, Usage: usage})
		case name == "timeout":
			flags = append(flags, &cli.GenericFlag{Name: name, Value: newSpan(12 * plan.Defaults().Timeout), Usage: "limit for the whole sweep, in seconds or as 2m30s"})
		case !notSwept[name]:
			flags = append(flags, flag)
		}
	}
	return &cli.Command{
		Name:         "sweep",
		Usage:        "measure all combinations of several values, in one launch and one record",
		UsageText:    "perf sweep --tokens=1,8,32 --layout=expert,flat --mode=dispatch,combine [flags]\nperf sweep --plan=FILE [flags]\nperf sweep --resume=RECORD",
		Flags:        command.InGroups(flags, groups...),
		OnUsageError: command.OnUsageError,
		Action:       sweep,
	}
}

func sweep(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("sweep: %q is no flag", c.Args().First())
	}
	path := c.String(resumeFlag)
	named := path != "" && path != never
	var alone *record.Unfinished // that one launcher goes on with, by its name
	return measure(c, measurement{
		options: optionsOf(c, plan.Defaults(), func(name string) bool { return ladders[name] == "" && !notSwept[name] }),
		plan: func(common plan.Options) (_ *epperfv1.Plan, err error) {
			if named && common.Nodes == 1 {
				if alone, err = namedRecord(c, path); err != nil {
					return nil, err
				}
				return alone.Header.GetPlan(), nil
			}
			swept, err := sweptBy(c)
			if err != nil {
				return nil, err
			}
			return plan.NewSweep(common, swept)
		},
		unfinished: func(p *epperfv1.Plan, party conduct.Party) (*record.Unfinished, error) {
			switch {
			case path == never || party.NodeRank > 0: // node 0 has the record, and tells the others what is left
				return nil, nil
			case alone != nil:
				return alone, nil
			case named:
				return conduct.Unfinished(path, p)
			}
			return conduct.UnfinishedIn(c.String("output"), p, party.Nodes > 1 || c.IsSet("run-id"))
		},
	})
}

// namedRecord opens the record that a sweep of one launcher goes on with, from which it has all of its plan.
func namedRecord(c *cli.Context, path string) (*record.Unfinished, error) {
	for _, flag := range c.LocalFlagNames() {
		if !goingOn[flag] {
			return nil, command.Usagef("--%s: what a sweep goes on with has its own; leave it out, or --resume", flag)
		}
	}
	return conduct.Unfinished(path, nil)
}

// sweptBy reads the ladders of a plan file or of flags.
func sweptBy(c *cli.Context) (*epperfv1.Sweep, error) {
	path := c.String(planFlag)
	for _, shape := range []string{"hidden", "experts-per-rank", "topk"} {
		if c.String("model") != "" && c.IsSet(shape) {
			return nil, command.Usagef("--%s: --model says it", shape)
		}
	}
	if path == "" {
		return laddersOf(c)
	}
	for flag := range ladders {
		if c.IsSet(flag) {
			return nil, command.Usagef("--%s: --plan=%s has the ladders", flag, path)
		}
	}
	if c.String("model") != "" {
		return nil, command.Usagef("--model: --plan=%s has the ladders", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}
	swept, err := plan.ParseSweep(text)
	if err != nil {
		return nil, command.Usagef("--plan=%s: %w", path, err)
	}
	return swept, nil
}

func laddersOf(c *cli.Context) (*epperfv1.Sweep, error) {
	list := func(name string) (values []string) {
		if c.String(name) == "" {
			return nil
		}
		for value := range strings.SplitSeq(c.String(name), ",") {
			values = append(values, strings.TrimSpace(value))
		}
		return values
	}
	of := &epperfv1.Ladders{
		Model: list("model"), Mode: list("mode"), Tokens: list("tokens"), Dtype: list("dtype"), Layout: list("layout"), Routing: list("routing"),
	}
	for _, text := range list("sms") {
		sms, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, command.Usagef("--sms=%q: %q is no number of multiprocessors; try --sms=24,0", c.String("sms"), text)
		}
		of.Sms = append(of.Sms, uint32(sms))
	}
	return &epperfv1.Sweep{Ladders: []*epperfv1.Ladders{of}}, nil
}

// goingOn finds the record that a measurement goes on with, and says so.
func (m measurement) goingOn(c *cli.Context, p *epperfv1.Plan, party conduct.Party) (*record.Unfinished, error) {
	if m.unfinished == nil {
		return nil, nil
	}
	u, err := m.unfinished(p, party)
	if u != nil {
		fmt.Fprintf(c.App.ErrWriter, "perf: goes on with %s: %d of %d cases are done\n", u.Path, u.Done, len(u.Header.GetPlan().GetCases()))
	}
	return u, err
}
