package main

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/model"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// mostSimulated ranks are modelled, more than can be run.
const mostSimulated = 4096

func simulateCommand() *cli.Command {
	d := plan.Defaults()
	return &cli.Command{
		Name:      "simulate",
		Usage:     "model how a routing loads the links of up to 4,096 ranks; measures nothing",
		UsageText: "perf simulate --nodes=N --ranks-per-node=M --experts=E [flags]",
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "nodes", Value: newDecimal(8), Usage: "nodes, whose ranks map each other's memory"},
			&cli.GenericFlag{Name: "ranks-per-node", Value: newDecimal(8), Usage: "ranks of each"},
			&cli.GenericFlag{Name: "experts", Value: newDecimal(256), Usage: "experts of all ranks together"},
			&cli.StringFlag{Name: "mode", Value: "dispatch", Usage: "dispatch or combine"},
			&cli.GenericFlag{Name: "tokens", Value: newDecimal(128), Usage: "tokens on each rank"},
			&cli.GenericFlag{Name: "hidden", Value: newDecimal(7168), Usage: "hidden dimension, a multiple of 8"},
			&cli.GenericFlag{Name: "topk", Value: newDecimal(8), Usage: "experts that each token selects"},
			&cli.StringFlag{Name: "dtype", Value: d.Dtype, Usage: "what a token travels to its experts as: fp8 or bf16"},
			&cli.StringFlag{Name: "routing", Value: d.Routing, Usage: "how tokens choose experts: uniform, balanced, zipf:S, hot:K"},
			&cli.GenericFlag{Name: "seed", Value: newDecimal(d.Seed), Usage: "seeds the routing"},
			&cli.Float64Flag{Name: "mapped", Value: 400, Usage: "GB/s of a rank's link to mapped memory, each way"},
			&cli.Float64Flag{Name: "network", Value: 50, Usage: "GB/s of a rank's link to the network, each way"},
			&cli.DurationFlag{Name: "mapped-latency", Value: 1000, Usage: "until a first byte is there"},
			&cli.DurationFlag{Name: "network-latency", Value: 4000, Usage: "until a first byte is there"},
			&cli.GenericFlag{Name: "hot", Value: newDecimal(8), Usage: "links to list, those with most to do first"},
		},
		OnUsageError: command.OnUsageError,
		Action:       simulate,
	}
}

func simulate(c *cli.Context) error {
	machine := model.Machine{
		Nodes: decimalOf[int](c, "nodes"), RanksPerNode: decimalOf[int](c, "ranks-per-node"),
		MappedRate: c.Float64("mapped"), NetworkRate: c.Float64("network"),
		MappedNS: float64(c.Duration("mapped-latency")), NetworkNS: float64(c.Duration("network-latency")),
	}
	experts, tokens, ranks := decimalOf[int](c, "experts"), decimalOf[int](c, "tokens"), 0
	if machine.Nodes > 0 && machine.Nodes <= mostSimulated && machine.RanksPerNode > 0 && machine.RanksPerNode <= mostSimulated {
		ranks = machine.Ranks()
	}
	switch {
	case c.Args().Present():
		return command.Usagef("simulate: %q is no flag", c.Args().First())
	case ranks < 1 || ranks > mostSimulated:
		return command.Usagef("simulate: --nodes=%d, --ranks-per-node=%d: 1 to %d ranks in all", machine.Nodes, machine.RanksPerNode, mostSimulated)
	case experts < ranks || experts%ranks != 0:
		return command.Usagef("simulate: --experts=%d: not the same number on each of %d ranks; try --experts=%d", experts, ranks, 4*ranks)
	case c.String("mode") == "e2e":
		return command.Usagef("simulate: --mode=e2e: its two operations are modelled one at a time; try --mode=dispatch")
	case !(machine.MappedRate > 0 && machine.NetworkRate > 0):
		return command.Usagef("simulate: --mapped=%g, --network=%g: GB/s are more than 0", machine.MappedRate, machine.NetworkRate)
	}
	o := plan.Defaults() // of two ranks: what is wrong with a shape is found as for a run
	o.NumProcesses, o.ExpertsPerRank, o.Device, o.RanksGiven = 2, max(experts/2, 1), "cpu", true
	o.Mode, o.Dtype, o.Routing, o.Seed = c.String("mode"), c.String("dtype"), c.String("routing"), decimalOf[uint64](c, "seed")
	o.Tokens, o.Hidden, o.Topk = strconv.Itoa(tokens), decimalOf[int](c, "hidden"), decimalOf[int](c, "topk")
	p, err := plan.New(o)
	if err != nil {
		return err
	}
	of := p.GetCases()[0]
	if of.GetRouting().GetKind() == epperfv1.Routing_KIND_FILE {
		return command.Usagef("simulate: --routing: a file is of as many ranks as it says; try uniform, balanced, zipf:S or hot:K")
	}
	of.Ranks, of.ExpertsPerRank, of.TokensOfRank = uint32(ranks), uint32(experts/ranks), make([]uint32, ranks)
	for rank := range of.TokensOfRank {
		of.TokensOfRank[rank] = uint32(tokens)
	}
	routing, err := workload.New(of)
	if err != nil {
		return err
	}
	simulation := report.Simulation{
		Machine: machine, Case: figures.ShapeOf(of).Name(), RowBytes: float64(figures.RowBytes(of)), Hot: decimalOf[int](c, "hot"),
	}
	simulation.Result = model.Simulate(machine, flowsOf(routing, of), simulation.RowBytes)
	return simulation.WriteText(c.App.Writer)
}

// flowsOf are the rows of an operation: those of a combine go back the way that those of a dispatch came.
func flowsOf(routing *workload.Routing, c *epperfv1.Case) (flows []model.Flow) {
	for from := range int(c.GetRanks()) {
		for to, rows := range routing.RowsTo(from) {
			switch {
			case rows == 0:
			case c.GetMode() == epperfv1.Mode_MODE_COMBINE:
				flows = append(flows, model.Flow{From: int32(to), To: int32(from), Rows: uint32(rows)})
			default:
				flows = append(flows, model.Flow{From: int32(from), To: int32(to), Rows: uint32(rows)})
			}
		}
	}
	return flows
}
