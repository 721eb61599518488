package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/starter"
)

// elasticFlags are the flags of a run that an elastic one has, and what they are there, if not the same.
var elasticFlags = map[string]string{
	"mode": "", "tokens": "tokens on each rank", "hidden": "", "experts-per-rank": "", "topk": "", "dtype": "", "layout": "", "combine": "", "routing": "",
	"seed": "", "threads": "", "timeout": "", "wait-timeout": "",
	"iters": "iterations of a phase in which no rank is killed",
}

func elasticCommand() *cli.Command {
	return &cli.Command{
		Name:      "elastic",
		Usage:     "let ranks join, leave and be killed, and time how soon the others go on; on CPUs of one host",
		UsageText: "perf elastic --plan='" + plan.ElasticPlan + "' [flags]",
		Flags: append(planFlags(plan.Defaults(), elasticFlags),
			&cli.StringFlag{Name: planFlag, Value: plan.ElasticPlan, Usage: "phases, each a list of its ranks; -2: rank 2 is killed in that phase"},
			&cli.StringFlag{Name: "kill-at", Value: string(conduct.KillAtWork), Usage: "when: while ranks work, when they connect, or between two phases: work, connect or between"},
			&cli.StringFlag{Name: "output", Value: "epperf-results", Usage: "folder for the record"},
			&cli.StringFlag{Name: "etcd-endpoints", Usage: "another etcd where launchers meet, as host:port,host:port"},
			startedBy(),
		),
		OnUsageError: command.OnUsageError,
		Action:       elastic,
	}
}

func elastic(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("elastic: %q is no flag", c.Args().First())
	}
	if c.String("output") == "" {
		return command.Usagef("--output: a folder is missing")
	}
	kill := conduct.KillAt(c.String("kill-at"))
	if !slices.Contains(conduct.KillTimes, kill) {
		return command.Usagef("--kill-at=%q: try one of %v", kill, conduct.KillTimes)
	}
	if as, err := starter.Find(os.Getenv, c.String(startedByFlag)); err != nil {
		return err
	} else if as != nil && as.Size > 1 {
		return command.Usagef("elastic: %s started %d copies of perf (%s), and an elastic run is one launcher on one host: start one, or say --%s=%s",
			as.By, as.Size, strings.Join(as.Said, ", "), startedByFlag, starter.None)
	}
	endpoints, secure, err := parseEndpoints(c.String("etcd-endpoints"))
	if err != nil {
		return err
	}
	if secure {
		return command.Usagef("--etcd-endpoints: an elastic run is of one host, and speaks to an etcd without TLS")
	}
	phases, err := plan.ParseElastic(c.String(planFlag))
	if err != nil {
		return err
	}
	o := optionsOf(c, plan.Defaults(), func(name string) bool { _, has := elasticFlags[name]; return has })
	o.Device = "cpu"
	p, err := plan.NewElastic(o, phases)
	if err != nil {
		return fmt.Errorf("elastic: %w", err)
	}
	ctx, stop := conduct.UntilSignal(context.Background())
	defer stop()
	return conduct.Run{
		Plan: p, Party: conduct.Party{Nodes: 1, Endpoints: endpoints}, Output: c.String("output"), RankArguments: rankArguments,
		Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Quiet: true,
	}.Elastic(ctx, kill)
}
