// Package scale_test measures how long reports of a large run take: 1,024 ranks, 1,000 iterations, 20 cases,
// which are 20 million samples.
//
//	tools/bazelw run //go/internal/report/scale:scale_test -- -test.bench=. -test.benchtime=1x
//
// Each benchmark also prints how much memory the process has had at most, itself included, so that the
// figure of one is only its own if it runs alone.
package scale_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/export"
	"github.com/epperf/epperf/go/internal/page"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const ranks, iterations, cases = 1024, 1000, 20

// large writes a record of such a run into a folder and returns its path.
func large(t testing.TB, run string) string {
	t.Helper()
	header := &epperfv1.Header{
		Plan: &epperfv1.Plan{
			RunId: run, Device: epperfv1.Device_DEVICE_CUDA, NvlinkBackend: epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, RanksPerHost: 8,
		},
		StartedUnixNs: 1_800_000_000_000_000_000,
	}
	for host := range ranks / 8 {
		header.Hosts = append(header.Hosts, &epperfv1.Host{Name: fmt.Sprint("node-", host), UsableCpus: 64})
	}
	for index := range uint32(cases) {
		header.Plan.Cases = append(header.Plan.Cases, &epperfv1.Case{
			Mode: epperfv1.Mode_MODE_DISPATCH, Ranks: ranks, TokensOfRank: slices.Repeat([]uint32{index + 1}, ranks), Hidden: 7168,
			ExpertsPerRank: 8, Topk: 8, Dtype: epperfv1.Dtype_DTYPE_FP8,
			Passes: []*epperfv1.Pass{epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, iterations)},
		})
	}
	w, err := record.Create(t.TempDir(), header)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for index := range uint32(cases) {
		for rank := range uint32(ranks) {
			durations := make([]uint64, iterations)
			for i := range durations {
				durations[i] = 180_000 + random.Uint64N(20_000)
			}
			result := &epperfv1.RankResult{
				CaseIndex: index, Rank: rank, Passed: true, Check: &epperfv1.Check{Rows: 1000},
				Traffic: &epperfv1.Traffic{Selections: 1024, RankRows: 1000, RemoteRows: 990, RowsToRank: slices.Repeat([]uint64{1}, ranks)},
			}
			err := w.WriteSamples(&epperfv1.Samples{CaseIndex: index, Rank: rank, DurationNs: durations})
			if err == nil {
				err = w.WriteResult(result)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	path, err := w.Close(epperfv1.Trailer_STATUS_PASSED, "")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// peak reports the most memory that the process has had.
func peak(b *testing.B) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			b.ReportMetric(kib/1024, "MiB-at-most")
		}
	}
}

func read(b *testing.B, path string) *record.Record {
	b.Helper()
	kept, err := record.Read(path)
	if err != nil {
		b.Fatal(err)
	}
	return kept
}

func BenchmarkShow(b *testing.B) {
	path := large(b, "a")
	for b.Loop() {
		if _, err := report.Show(io.Discard, path); err != nil {
			b.Fatal(err)
		}
	}
	peak(b)
}

func BenchmarkExport(b *testing.B) {
	path := large(b, "a")
	for _, format := range export.Formats {
		for _, samples := range []bool{false, true} {
			if samples && !format.HoldsSamples() {
				continue
			}
			b.Run(fmt.Sprintf("%s/samples=%t", format, samples), func(b *testing.B) {
				for b.Loop() {
					if err := export.Write(io.Discard, format, []*record.Record{read(b, path)}, samples); err != nil {
						b.Fatal(err)
					}
				}
				peak(b)
			})
		}
	}
}

// Two records, of 40 million samples together.
func BenchmarkCompare(b *testing.B) {
	paths := [2]string{large(b, "a"), large(b, "b")}
	options := compare.Options{Figure: compare.Slowest, Threshold: 0.03}
	for b.Loop() {
		var sides [2]*compare.Launches
		for side, path := range paths {
			sides[side] = compare.NewLaunches(options.Figure)
			sides[side].Add(read(b, path))
		}
		if _, _, err := compare.Launched(sides[0], sides[1], options); err != nil {
			b.Fatal(err)
		}
	}
	peak(b)
}

func BenchmarkPage(b *testing.B) {
	path := large(b, "a")
	for b.Loop() {
		if err := page.Write(io.Discard, []*record.Record{read(b, path)}); err != nil {
			b.Fatal(err)
		}
	}
	peak(b)
}
