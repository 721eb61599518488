// Command benchmark measures how long launchers take to meet: to join a run and see all others, and
// to pass a barrier with eight ranks behind each of them, or one, over one etcd server.
//
// The first row is the program's own way with processes for ranks. In the others launchers are
// simulated in this one process: each has a session with goroutines for ranks, counts them at
// a barrier as package launch does, and then meets the other launchers. So all of them, and the
// server, share this machine's CPUs; on hosts of their own they would not.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
	"github.com/epperf/epperf/go/internal/stats"
)

const (
	ranksPerHost = 8
	// limit is for one row.
	limit = 5 * time.Minute
)

func main() {
	do := benchmark
	if len(os.Args) > 1 && os.Args[1] == rankName {
		do = rank
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

func benchmark() error {
	fmt.Println("| launchers | ranks | rendezvous p50 / p99 (ms) | barriers | barrier p50 / p99 (ms) | until all have ended (s) |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, row := range []struct {
		name    string
		job     job
		measure func(context.Context, string, job) (result, error)
	}{
		{"1, ranks are processes", job{1, ranksPerHost, 2000}, processes},
		{"1", job{1, ranksPerHost, 2000}, simulate},
		{"8", job{8, ranksPerHost, 300}, simulate},
		{"64", job{64, ranksPerHost, 100}, simulate},
		{"128", job{128, ranksPerHost, 60}, simulate},
		{"256, a rank each", job{256, 1, 60}, simulate},
		{"1024, a rank each", job{1024, 1, 60}, simulate},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := measureRow(ctx, row.name, row.job, row.measure)
		cancel()
		if err != nil {
			return fmt.Errorf("%s launchers: %w", row.name, err)
		}
	}
	return nil
}

// A job is launchers with so many ranks each, which pass so many barriers.
type job struct{ launchers, ranks, times int }

// A result is what one row measured, in nanoseconds.
type result struct {
	meetNS    []int64 // of each launcher, from its start until it has seen all
	barrierNS []int64 // of each rank and barrier
}

func measureRow(ctx context.Context, name string, of job, measure func(context.Context, string, job) (result, error)) error {
	server, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return err
	}
	defer server.Close()
	began := time.Now()
	r, err := measure(ctx, server.Endpoint(), of)
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %d | %s | %d | %s | %.1f |\n",
		name, of.launchers*of.ranks, quantiles(r.meetNS), of.times, quantiles(r.barrierNS), time.Since(began).Seconds())
	return nil
}

// quantiles prints the median and the 99th percentile in milliseconds.
func quantiles(ns []int64) string {
	d := stats.NewDistribution(ns)
	text := func(q stats.Permille) string {
		if value, ok := d.QuantileNS(q); ok {
			return fmt.Sprintf("%.2f", float64(value)/1e6)
		}
		return "n/a"
	}
	if longest, ok := d.MaxNS(); ok && d.Samples() == 1 {
		return fmt.Sprintf("%.2f / n/a", float64(longest)/1e6)
	}
	return text(stats.P50) + " / " + text(stats.P99)
}
