package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "say what cases would take on more ranks and nodes, by a line through what was measured",
		UsageText: "report predict --nodes=N --ranks-per-node=M [--network=GB/S] FILE...",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 1, Usage: "nodes, whose ranks map each other's memory"},
			&cli.IntFlag{Name: "ranks-per-node", Value: 8, Usage: "ranks of each"},
			&cli.Float64Flag{Name: "network", Usage: "GB/s that a rank's network carries, where no record went over one"},
			outFlag(),
		},
		OnUsageError: command.OnUsageError,
		Action: func(c *cli.Context) error {
			const most = 1 << 20
			p := report.Prediction{Nodes: c.Int("nodes"), RanksPerNode: c.Int("ranks-per-node"), NetworkRate: c.Float64("network")}
			switch {
			case p.Nodes < 1 || p.RanksPerNode < 1 || p.Nodes > most || p.RanksPerNode > most:
				return command.Usagef("predict: --nodes=%d and --ranks-per-node=%d: there is at least one of each", p.Nodes, p.RanksPerNode)
			case p.NetworkRate < 0:
				return command.Usagef("predict: --network=%g: GB/s are more than 0", p.NetworkRate)
			case !c.Args().Present():
				return command.Usagef("predict: a record is missing; try report predict --nodes=2 FILE, with a sweep over --tokens")
			}
			for _, path := range c.Args().Slice() {
				kept, err := record.Read(path)
				if err != nil {
					return err
				}
				p.Add(kept)
			}
			if err := p.Fit(); err != nil {
				return command.Usagef("predict: %w", err)
			}
			return writeOut(c, func(w io.Writer) error { return p.WriteText(w) })
		},
	}
}
