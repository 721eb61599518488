package conduct

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/epperf/epperf/go/internal/binding"
	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/session"
	"github.com/epperf/epperf/go/internal/topology/nvml"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// RankOptions are what a launcher tells its ranks with their command line.
type RankOptions struct {
	Dump     string      // where they leave their tensors; may be empty
	Progress bool        // rank 0 says how far a soak is
	NIXL     native.NIXL // where that may be
	Host     string      // tells hosts apart whose ranks can map each other's memory
	CPUs     string      // that ranks of the launcher share, where this one is bound to fewer
}

// Rank is a rank's whole life. What goes wrong while it measures is in the result that it sends; the
// rest it returns.
func Rank(options RankOptions) error {
	// Its Go does one thing at a time, and the core has threads of its own. With more, Go would wake
	// a second thread for each message, which takes CPU time from the rank beside it.
	runtime.GOMAXPROCS(1)
	leaveSignals()
	conn, err := session.FromFD(session.RankFD)
	if err != nil {
		return command.Usagef("rank: perf starts its ranks itself")
	}
	defer conn.Close()
	ctx, cancel := conn.Bind(context.Background())
	defer cancel()
	build, err := buildID()
	if err != nil {
		return err
	}
	for {
		start, err := conn.Hello(ctx, build)
		if ctx.Err() != nil {
			return command.ErrFailed // the launcher knows why
		}
		if err != nil {
			return err
		}
		if start.GetGeneration() == 0 {
			return run(ctx, conn, start, options)
		}
		generation, leave := conn.BindGeneration(ctx)
		err = run(generation, conn, start, options)
		leave()
		if err != nil && generation.Err() == nil {
			return err
		}
	}
}

// run runs the plan that a rank was started with.
func run(ctx context.Context, conn *session.Conn, start *epperfv1.Start, options RankOptions) error {
	if err := plan.Validate(start.GetPlan()); err != nil {
		return fmt.Errorf("plan from launcher: %w", err)
	}
	system, err := host.This()
	if err != nil {
		return err
	}
	if options.CPUs != "" {
		if system.CPUs, err = binding.ParseCPUs(options.CPUs); err != nil {
			return fmt.Errorf("rank: %w", err)
		}
	}
	gpu, err := gpuOf(start)
	if err != nil {
		return err
	}
	gauge := gaugeOf(gpu)
	defer gauge.Close()
	var soaking func(*epperfv1.SoakCount)
	if options.Progress && start.GetRank() == 0 {
		soaking = soakProgress(os.Stderr, time.Now)
	}
	err = measure.Rank{
		Plan:  start.GetPlan(),
		Rank:  int(start.GetRank()),
		First: int(start.GetFirstCase()),
		Group: conn,
		Sink:  conn,
		Open: func(c *epperfv1.Case) (measure.Engine, error) {
			engine, err := openEngine(c, start, system, options)
			if err != nil {
				return nil, err // not a nil *Engine in an interface
			}
			return engine, nil
		},
		GPUState:        gauge.State,
		Watch:           watcher(start, system),
		Multiprocessors: gpu.GetMultiprocessors(),
		Progress:        soaking,
		Use:             host.Use,
		Dump:            dumper(options.Dump, int(start.GetRank())),
	}.Run(ctx)
	if err != nil {
		return command.ErrFailed
	}
	return nil
}

// watcher begins to watch this rank, and as the first of its launcher its host.
func watcher(start *epperfv1.Start, system host.System) func() measure.Watch {
	var others *host.Others
	if p := start.GetPlan(); start.GetRank()%p.GetRanksPerHost() == 0 {
		others = &host.Others{Launcher: os.Getppid(), Launchers: plan.HostCount(p) > 1}
	}
	return func() measure.Watch { return system.WatchLoad(others, time.Now) }
}

// gpuOf describes a rank's GPU; nil on CPUs.
func gpuOf(start *epperfv1.Start) (*epperfv1.Gpu, error) {
	if start.GetPlan().GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return nil, nil
	}
	gpus, err := native.CountGPUs()
	if err != nil {
		return nil, err
	}
	return native.DescribeGPU(plan.GPUOf(start.GetPlan(), int(start.GetRank()), gpus))
}

// gaugeOf finds what tells how a GPU is; nil where there is none.
func gaugeOf(gpu *epperfv1.Gpu) *nvml.Gauge {
	if gpu == nil {
		return nil
	}
	return nvml.Open(gpu.GetUuid())
}

// openEngine makes one case's engine from its routing.
func openEngine(c *epperfv1.Case, start *epperfv1.Start, system host.System, options RankOptions) (*native.Engine, error) {
	routing, err := workload.New(c)
	if err != nil {
		return nil, err
	}
	p := start.GetPlan()
	config := native.Config{
		Case:        c,
		Rank:        int(start.GetRank()),
		Device:      p.GetDevice(),
		Backend:     p.GetNvlinkBackend(),
		NicMemory:   epperfv1.NicMemoryOf(p),
		GPUFlush:    epperfv1.GpuFlushOf(p),
		NIXL:        options.NIXL,
		Host:        options.Host,
		RunID:       p.GetRunId(),
		CPUs:        system.UsableCPUs(),
		FlushBytes:  preflight.FlushBytes(p, system),
		RanksOnHost: plan.RanksOnHost(p),
		Threads:     plan.Threads(p),
		WaitTimeout: time.Duration(p.GetWaitTimeoutNs()),
		Routing:     routing,
	}
	if p.GetDevice() == epperfv1.Device_DEVICE_CUDA {
		gpus, err := native.CountGPUs()
		if err != nil {
			return nil, err
		}
		config.GPU = plan.GPUOf(p, config.Rank, gpus)
		config.RanksOnGPU = plan.RanksOnGPU(p, config.GPU, gpus)
	}
	return native.Open(config)
}
