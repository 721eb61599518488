package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// run is the root command: one case, with this host's part in it.
func run(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("%q is neither a flag nor a command", c.Args().First())
	}
	if c.String("output") == "" {
		return command.Usagef("--output: a folder is missing")
	}
	party, err := partyOf(c)
	if err != nil {
		return err
	}
	runID, err := runIDOf(party.Nodes, c.String("run-id"), os.Getenv)
	if err != nil {
		return err
	}
	nics, err := preflight.NewNICs(c.Bool("skip-nic-discovery"), c.Int("nics-per-gpu"), c.String("nic-map"))
	if err != nil {
		return err
	}
	if err := refuseTimed(c); err != nil {
		return err
	}
	p, err := plan.New(preflight.CountGPUs(plan.Options{
		RunID:          runID,
		Nodes:          party.Nodes,
		NumProcesses:   c.Int("num-processes"),
		Mode:           c.String("mode"),
		Tokens:         c.String("tokens"),
		Hidden:         c.Int("hidden"),
		ExpertsPerRank: c.Int("experts-per-rank"),
		Topk:           c.Int("topk"),
		NvlinkBackend:  c.String("nvlink-backend"),
		Device:         c.String("device"),
		SharedGPU:      c.Bool("shared-gpu"),
		SMs:            c.Int("sms"),
		Dtype:          c.String("dtype"),
		Layout:         c.String("layout"),
		Combine:        c.String("combine"),
		Quantize:       c.String("quantize"),
		Threads:        c.Int("threads"),
		Routing:        c.String("routing"),
		Seed:           c.Uint64("seed"),
		Warmup:         c.Int("warmup"),
		Iters:          c.Int("iters"),
		Detail:         c.Bool("detail"),
		Soak:           c.String("soak"),
		SoakCheck:      c.Int("soak-check"),
		Timeout:        spanOf(c, "timeout"),
		WaitTimeout:    spanOf(c, "wait-timeout"),
	}))
	if err != nil {
		return err
	}
	if c.Bool("explain") {
		return explain(c.App.Writer, p, party.NodeRank)
	}
	limit, err := limitFor(c, p)
	if err != nil {
		return err
	}
	nixl, err := preflight.FindNIXL(p, c.String(nixlRootFlag))
	if err != nil {
		return err
	}
	ctx, stop := conduct.UntilSignal(context.Background())
	defer stop()
	return conduct.Run{
		Plan:          p,
		Party:         party,
		Limit:         limit,
		Output:        c.String("output"),
		Dump:          c.String(dumpFlag),
		NIXL:          nixl,
		NICs:          nics,
		RankArguments: rankArguments,
		Stdout:        c.App.Writer,
		Stderr:        c.App.ErrWriter,
		Quiet:         c.Bool("quiet"),
		Debug:         os.Getenv("EPPERF_DEBUG") != "",
		GatherBytes:   conduct.MaxGatheredBytes,
	}.Do(ctx)
}

// limitFor finds the calibration that a detailed run is held against; nil where there is none.
func limitFor(c *cli.Context, p *epperfv1.Plan) (*epperfv1.Limit, error) {
	switch path := c.String("calibration"); {
	case path != "" && !c.Bool("detail"):
		return nil, command.Usagef("--calibration: nothing is compared with it; add --detail")
	case path != "" && !plan.BackendOf(p).Calibrated:
		return nil, command.Usagef("--calibration: a calibration is of mapped memory; try --nvlink-backend=ipc")
	case path != "" && plan.HostCount(p) > 1:
		return nil, command.Usagef("--calibration: a calibration is of one launcher's ranks; try --nnodes=1")
	case path != "" && p.GetThreadsPerRank() > 1:
		return nil, command.Usagef("--calibration: a calibration copies with one thread per rank; try --threads=1")
	case path != "":
		return limitFrom(path, p)
	case c.Bool("detail") && plan.BackendOf(p).Calibrated && p.GetThreadsPerRank() <= 1 && plan.HostCount(p) == 1:
		return newestLimit(c.String("output"), p)
	}
	return nil, nil
}

// refuseTimed refuses flags of what a soak does not do.
func refuseTimed(c *cli.Context) error {
	for _, timed := range []string{"warmup", "iters"} {
		if c.String("soak") != "" && c.IsSet(timed) {
			return command.Usagef("--%s: a soak times nothing; --soak itself says how many iterations there are", timed)
		}
	}
	return nil
}
