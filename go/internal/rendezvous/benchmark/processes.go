package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// rankName is the argument that makes this program a rank.
const rankName = "rank"

// A sink takes what ranks measured.
type sink struct{ barrierNS []int64 }

func (s *sink) WriteSamples(samples *epperfv1.Samples) error {
	for _, ns := range samples.GetDurationNs() {
		s.barrierNS = append(s.barrierNS, int64(ns))
	}
	return nil
}

func (s *sink) WriteResult(*epperfv1.RankResult) error { return nil }

// processes runs one launcher with a process a rank.
func processes(ctx context.Context, endpoint string, of job) (result, error) {
	began := time.Now()
	member, err := join(ctx, endpoint, of, 0)
	if err != nil {
		return result{}, err
	}
	defer member.Close(ctx)
	if _, err := member.Hosts(ctx); err != nil {
		return result{}, err
	}
	met := time.Since(began).Nanoseconds()
	measured := &sink{}
	ranks, err := launch.Start(launch.Config{
		Plan: &epperfv1.Plan{
			Cases:         []*epperfv1.Case{{Ranks: ranksPerHost, Passes: []*epperfv1.Pass{{Count: uint32(of.times)}}}},
			RanksPerHost:  ranksPerHost,
			TimeoutNs:     uint64(limit),
			WaitTimeoutNs: uint64(limit),
		},
		Args: []string{rankName}, Stderr: os.Stderr, Sink: measured,
	})
	if err != nil {
		return result{}, err
	}
	err = ranks.Run(ctx, member)
	return result{[]int64{met}, measured.barrierNS}, errors.Join(err, ranks.Close())
}

// rank is a rank's process.
func rank() error {
	runtime.GOMAXPROCS(1) // as perf's ranks
	conn, err := session.FromFD(session.RankFD)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := conn.Bind(context.Background())
	defer cancel()
	start, err := conn.Hello(ctx, "")
	if err != nil {
		return err
	}
	tookNS, err := passBarriers(ctx, conn, int(start.GetPlan().GetCases()[0].Iterations()))
	if err != nil {
		return err
	}
	samples := &epperfv1.Samples{Rank: start.GetRank()}
	for _, ns := range tookNS {
		samples.DurationNs = append(samples.DurationNs, uint64(ns))
	}
	return errors.Join(conn.Samples(samples), conn.Result(&epperfv1.RankResult{Rank: start.GetRank(), Passed: true}))
}
