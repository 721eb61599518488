package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/starter"
)

// This file makes copies of this program that something else started the launchers of one run.

const startedByFlag = "started-by"

func startedBy() cli.Flag {
	return &cli.StringFlag{Name: startedByFlag, Value: starter.Automatic, Usage: "what started this copy and says of how many: " +
		strings.Join(starter.Names(), ", ") + ", none, or auto for the innermost"}
}

// A place is this launcher among all of its run.
type place struct {
	nodes, rank int
	// as is the copy from which that was read; nil if only from flags.
	as *starter.Copy
}

// placeOf reads it from flags, and what these leave open from what started this program.
func placeOf(c *cli.Context, environment func(string) string) (place, error) {
	p := place{nodes: decimalOf[int](c, "nnodes"), rank: decimalOf[int](c, "node-rank")}
	as, err := starter.Find(environment, c.String(startedByFlag))
	if err != nil {
		return p, err
	}
	told := c.IsSet("nnodes")
	switch {
	case as == nil || as.Size == 1 || told && (p.nodes == 1 || c.IsSet("node-rank")):
	case !told && as.Size == 0:
		return p, command.Usagef("%s started copy %d of perf (%s), and nothing says of how many: give all of them --nnodes, or --nnodes=1 if each is to be a run of its own",
			as.By, as.Rank, strings.Join(as.Said, ", "))
	case !told:
		p.nodes, p.as = as.Size, as
	case as.Size != 0 && as.Size != p.nodes:
		return p, command.Usagef("--nnodes=%d: %s started %d copies of perf (%s), so which of the launchers is this? give --node-rank, or leave out --nnodes",
			p.nodes, as.By, as.Size, strings.Join(as.Said, ", "))
	default:
		p.as = as
	}
	if p.as != nil && !c.IsSet("node-rank") {
		p.rank = p.as.Rank
		if p.rank < 0 {
			return p, command.Usagef("%s started %d copies of perf (%s), and nothing says which of them this is: give each --nnodes=%d and its --node-rank, or --nnodes=1 if each is to be a run of its own",
				as.By, as.Size, strings.Join(as.Said, ", "), p.nodes)
		}
	}
	if p.nodes < 1 {
		return p, command.Usagef("--nnodes=%d: there is at least one", p.nodes)
	}
	if p.rank < 0 || p.rank >= p.nodes {
		return p, command.Usagef("--node-rank=%d: of --nnodes=%d launchers, 0 to %d", p.rank, p.nodes, p.nodes-1)
	}
	return p, nil
}

// fitted has this launcher start one rank where each copy stands for one, unless the user says how many.
func (p place) fitted(o plan.Options) plan.Options {
	if p.as != nil && p.as.EachARank && !o.RanksGiven {
		o.NumProcesses, o.RanksGiven = 1, true
	}
	return o
}

// takeGPUs narrows what CUDA shows this process and its ranks to what is this copy's.
func (p place) takeGPUs(o plan.Options) error {
	if !o.AsksForGPUs() {
		return nil
	}
	const variable = "CUDA_VISIBLE_DEVICES"
	var visible []string
	if list, set := os.LookupEnv(variable); set {
		visible = strings.Split(list, ",")
	} else {
		files, err := filepath.Glob("/dev/nvidia[0-9]*")
		if err != nil {
			return err
		}
		for number := range files {
			visible = append(visible, strconv.Itoa(number))
		}
	}
	if own, ok := p.as.GPUs(visible, o.NumProcesses); ok {
		return os.Setenv(variable, own)
	}
	return nil
}

// say tells, once for all copies, what was read and what was made of it.
func (p place) say(to io.Writer, processes int, meet string) {
	if p.as == nil || p.rank > 0 {
		return
	}
	each := "each starts a host's ranks"
	if p.as.EachARank && processes == 1 {
		each = "each starts a rank"
	}
	fmt.Fprintf(to, "perf: %s started %d copies (%s): %s, --num-processes=%d, and they meet at %s; --%s, --nnodes and --master-addr change that\n",
		p.as.By, p.nodes, strings.Join(p.as.Said, ", "), each, processes, meet, startedByFlag)
}

// refuseCopiesHere refuses several copies of what knows one host alone.
func refuseCopiesHere(c *cli.Context, environment func(string) string) error {
	as, err := starter.Find(environment, c.String(startedByFlag))
	if err != nil || as == nil {
		return err
	}
	copies := as.OnHost
	if copies == 0 {
		copies = as.Size // as far as it is known
	}
	if copies < 2 {
		return nil
	}
	return command.Usagef("calibrate: %s started %d copies of perf on this host (%s), and each would start all ranks by itself: start one, with --num-processes=%d, or say --%s=%s",
		as.By, copies, strings.Join(as.Said, ", "), copies, startedByFlag, starter.None)
}
