// Command benchmark measures how long launchers take to meet: to join a run and see all others, and
// to pass a barrier with eight ranks behind each of them, over one etcd server.
//
// The first row is the program's own way with processes for ranks. In the others launchers are
// simulated in this one process: each has a session with eight goroutines for ranks, counts them at
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
	fmt.Println("| launchers | ranks | rendezvous p50 / p99 (ms) | barriers | barrier p50 / p99 (ms) |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, row := range []struct {
		name             string
		launchers, times int
	}{
		{"1, ranks are processes", 1, 2000},
		{"1", 1, 2000},
		{"8", 8, 300},
		{"64", 64, 100},
		{"128", 128, 60},
	} {
		measure := simulate
		if row.name != fmt.Sprint(row.launchers) {
			measure = processes
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := measureRow(ctx, row.name, row.launchers, row.times, measure)
		cancel()
		if err != nil {
			return fmt.Errorf("%s launchers: %w", row.name, err)
		}
	}
	return nil
}

// A result is what one row measured, in nanoseconds.
type result struct {
	meetNS    []int64 // of each launcher, from its start until it has seen all
	barrierNS []int64 // of each rank and barrier
}

func measureRow(ctx context.Context, name string, launchers, times int,
	measure func(ctx context.Context, endpoint string, launchers, times int) (result, error),
) error {
	server, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return err
	}
	defer server.Close()
	r, err := measure(ctx, server.Endpoint(), launchers, times)
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %d | %s | %d | %s |\n", name, launchers*ranksPerHost, quantiles(r.meetNS), times, quantiles(r.barrierNS))
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
