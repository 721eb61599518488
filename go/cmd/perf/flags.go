package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// ranksDefault is what Fitted of package plan comes to.
const ranksDefault = "auto"

// runFlags are the flags of the root command: the whole plan of one case, where its record goes,
// and what is shown meanwhile.
func runFlags() []cli.Flag {
	d := plan.Defaults()
	return command.InGroups(append([]cli.Flag{
		&cli.GenericFlag{Name: "num-processes", Value: newDecimal(d.NumProcesses), DefaultText: ranksDefault, Usage: "number of ranks on this host, a process each; auto is one on each of 2 to 8 GPUs, else 8 on CPUs"},
		&cli.StringFlag{Name: "mode", Value: d.Mode, Usage: "what one iteration is: dispatch, combine or e2e"},
		&cli.StringFlag{Name: "tokens", Value: d.Tokens, Usage: "tokens on each rank, or one number per rank: 128,0,64"},
		&cli.GenericFlag{Name: "hidden", Value: newDecimal(d.Hidden), Usage: "hidden dimension, a multiple of 8"},
		&cli.GenericFlag{Name: "experts-per-rank", Value: newDecimal(d.ExpertsPerRank), Usage: "experts on each rank"},
		&cli.GenericFlag{Name: "topk", Value: newDecimal(d.Topk), Usage: "experts that each token selects"},
		&cli.StringFlag{Name: "nvlink-backend", Value: d.NvlinkBackend, Usage: "how rows reach other ranks: ipc maps memory of one host; nixl maps that of GPUs and moves rows of CPUs, with NIXL; none maps nothing and is TCP on CPUs"},
		&cli.StringFlag{Name: nixlRootFlag, EnvVars: []string{"EPPERF_NIXL_ROOT"}, Usage: "folder of an unpacked NIXL wheel; without, the one that was built with, then the system's"},
		&cli.GenericFlag{Name: "warmup", Value: newDecimal(d.Warmup), Usage: "iterations before the timed ones"},
		&cli.GenericFlag{Name: "iters", Value: newDecimal(d.Iters), Usage: "timed iterations; figures leave out the first"},
		&cli.BoolFlag{Name: "skip-nic-discovery", Usage: "leave the choice of NICs to UCX; on CPUs there is none to make"},
		&cli.GenericFlag{Name: "nics-per-gpu", Value: newDecimal(1), Usage: "NICs that each rank on a GPU uses, the nearest first"},
		&cli.StringFlag{Name: "nic-map", Usage: "NICs of GPUs instead of the nearest: 0=mlx5_0,1=mlx5_1+mlx5_2"},
		&cli.StringFlag{Name: "device", Value: d.Device, Usage: "what ranks compute on: cpu, cuda, or auto for GPUs if this host has any"},
		&cli.BoolFlag{Name: "shared-gpu", Usage: "let several ranks compute on one GPU: checks what is right, measures nothing"},
		&cli.GenericFlag{Name: "sms", Value: newDecimal(0), DefaultText: "all", Usage: "streaming multiprocessors of a GPU that operations may use; 0 for all"},
		&cli.StringFlag{Name: "dtype", Value: d.Dtype, Usage: "what a token travels to its experts as: fp8 or bf16"},
		&cli.StringFlag{Name: "layout", Value: d.Layout, Usage: "where received rows lie: expert, rank, flat or contig"},
		&cli.StringFlag{Name: "combine", Value: d.Combine, Usage: "where a token's selections are summed: rank, or expert for a row each that comes back"},
		&cli.StringFlag{Name: "quantize", Value: d.Quantize, Usage: "where rows become FP8: inside the dispatch, or outside, so that codes and scales are its input"},
		&cli.GenericFlag{Name: "threads", Value: newDecimal(d.Threads), Usage: "worker threads of each rank"},
		&cli.StringFlag{Name: "routing", Value: d.Routing, Usage: "how tokens choose experts: " + epperfv1.RoutingForms()},
		&cli.GenericFlag{Name: "seed", Value: newDecimal(d.Seed), Usage: "seeds routing, rows and expert outputs"},
		&cli.GenericFlag{Name: "timeout", Value: newSpan(d.Timeout), Usage: "limit for the whole run, in seconds or as 2m30s"},
		&cli.GenericFlag{Name: "wait-timeout", Value: newSpan(d.WaitTimeout), Usage: "limit for every wait of the data plane"},
		&cli.StringFlag{Name: "output", Value: "epperf-results", Usage: "folder for the record"},
		&cli.StringFlag{Name: dumpFlag, Usage: "new folder for what ranks sent, received and summed last, as .npy files"},
		&cli.BoolFlag{Name: "quiet", Usage: "no progress bar"},
		&cli.BoolFlag{Name: "detail", Usage: "time fresh entries, chained pairs and on GPUs graphs and kernels, too, and say what share of the machine's limit was reached"},
		&cli.StringFlag{Name: "beside", DefaultText: "none", Usage: "run a meter on the multiprocessors that --sms leaves, gemm or stream, and time what it and operations cost each other"},
		&cli.StringFlag{Name: "soak", DefaultText: "none", Usage: "check iterations instead of timing them: how many, as 100000, or for how long, as 10m"},
		&cli.GenericFlag{Name: "soak-check", Value: newDecimal(0), DefaultText: "auto", Usage: "check one in so many of a soak in full; auto is as many as take half of the time"},
		&cli.GenericFlag{Name: "soak-round", Value: newSpan(d.SoakRound), Usage: "after how long a soak connects anew, with another routing and seed; 0 is never"},
		&cli.StringFlag{Name: "calibration", DefaultText: "newest", Usage: "record of perf calibrate for --detail; else the newest of this machine in the output folder"},
		&cli.BoolFlag{Name: "explain", Usage: "print plan, memory and bytes, and run nothing"},
		&cli.StringFlag{Name: "expect", Usage: "print what is expected beside it, by a file or the table seed-dfw; exit code 2: not comparable, 3: worse"},
	}, slices.Concat(launchFlags(), partyFlags())...), groups...)
}

// groups are how --help shows flags, as README.md does.
var groups = []command.Group{
	{Name: "Shape: what is sent", Flags: []string{
		"tokens", "hidden", "experts-per-rank", "topk", "dtype", "routing", "seed", "layout", "combine", "quantize", "model", planFlag,
	}},
	{Name: "Run: what is done with it", Flags: []string{
		"num-processes", "mode", "warmup", "iters", "device", "shared-gpu", "sms", "threads", "detail", "beside", "calibration", "timeout", "wait-timeout",
		"soak", "soak-check", "soak-round", "explain", launchesFlag, againstFlag, thresholdFlag, resumeFlag,
	}},
	{Name: "Backend: how rows reach other ranks", Flags: []string{"nvlink-backend", nixlRootFlag, "skip-nic-discovery", "nics-per-gpu", "nic-map"}},
	{Name: "Several hosts", Flags: []string{
		"nnodes", "node-rank", startedByFlag, "run-id", "host-id", "master-addr", "etcd-endpoints", "certs", "etcd-ca", "etcd-cert", "etcd-key",
	}},
	{Name: "Output: what is left", Flags: []string{"output", dumpFlag, "quiet", "expect"}},
}

// commonOptions reads what a run's case and all cases of a sweep have in common. The rest are defaults.
func commonOptions(c *cli.Context) plan.Options {
	o := plan.Defaults()
	o.NumProcesses, o.RanksGiven = decimalOf[int](c, "num-processes"), c.IsSet("num-processes")
	o.Hidden = decimalOf[int](c, "hidden")
	o.ExpertsPerRank = decimalOf[int](c, "experts-per-rank")
	o.Topk = decimalOf[int](c, "topk")
	o.NvlinkBackend = c.String("nvlink-backend")
	o.Device = c.String("device")
	o.SharedGPU = c.Bool("shared-gpu")
	o.Combine = c.String("combine")
	o.Quantize = c.String("quantize")
	o.Threads = decimalOf[int](c, "threads")
	o.Seed = decimalOf[uint64](c, "seed")
	o.Warmup = decimalOf[int](c, "warmup")
	o.Iters = decimalOf[int](c, "iters")
	o.Detail = c.Bool("detail")
	o.Beside = c.String("beside")
	o.Timeout = spanOf(c, "timeout")
	o.WaitTimeout = spanOf(c, "wait-timeout")
	return o
}

// ofOneCase adds what a sweep has lists of, or has not.
func ofOneCase(c *cli.Context, o plan.Options) plan.Options {
	o.Mode = c.String("mode")
	o.Tokens = c.String("tokens")
	o.SMs = decimalOf[int](c, "sms")
	o.Dtype = c.String("dtype")
	o.Layout = c.String("layout")
	o.Routing = c.String("routing")
	o.Soak = c.String("soak")
	o.SoakCheck = decimalOf[int](c, "soak-check")
	o.SoakRound = spanOf(c, "soak-round")
	return o
}
