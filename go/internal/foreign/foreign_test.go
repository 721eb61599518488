package foreign_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/foreign"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// brief is a figure in a line.
func brief(f foreign.Figure) string {
	number := func(of *float64, format string) string {
		if of == nil {
			return "-"
		}
		return fmt.Sprintf(format, *of)
	}
	return fmt.Sprintf("%d: %s %s/%s/%s/%s %s by %s, %d SMs, %s ns, %s GB/s, %d ranks, %s", f.Line, f.Operation, f.Dtype, f.Layout, f.Combine, f.Quantize,
		f.Boundary, f.Bytes, f.SMs, number(f.LatencyNS, "%.0f"), number(f.Bandwidth, "%.2f"), f.Ranks, f.Shape)
}

func TestOutputsAreRead(t *testing.T) {
	for tool, want := range map[string][]string{
		"deepep": {
			"2: e2e fp8/expert/expert/inside events by selections, 0 SMs, 510000 ns, 41.00 GB/s, 2 ranks, ",
			"4: dispatch fp8/expert//inside kernels by selections, 0 SMs, 82000 ns, 92.00 GB/s, 2 ranks, ",
			"4: combine bf16/expert/expert/ kernels by selections, 0 SMs, 162000 ns, 87.00 GB/s, 2 ranks, ",
			"7: dispatch fp8/flat//outside events by rank rows, NVLink, 24 SMs, 480000 ns, 150.00 GB/s, 0 ranks, ",
			"8: dispatch bf16/flat// events by rank rows, NVLink, 24 SMs, - ns, 155.50 GB/s, 0 ranks, ",
			"9: combine bf16/flat// events by rank rows, RDMA, 24 SMs, 940000 ns, 43.00 GB/s, 0 ranks, ",
			"9: combine bf16/flat// events by rank rows, NVLink, 24 SMs, 940000 ns, 141.00 GB/s, 0 ranks, ",
			"10: dispatch fp8/flat//outside kernels by rank rows, RDMA, 24 SMs, 990000 ns, 42.00 GB/s, 0 ranks, ",
			"10: dispatch fp8/flat//outside kernels by rank rows, NVLink, 24 SMs, 990000 ns, 137.00 GB/s, 0 ranks, ",
			"12: dispatch bf16/flat// kernels by rank rows, NVLink, 0 SMs, 392000 ns, 802.00 GB/s, 2 ranks, ",
			"14: dispatch bf16/contig// kernels by rank rows, NVLink, 0 SMs, 448000 ns, 810.00 GB/s, 1 ranks, ",
			"15: dispatch, cached bf16/flat// kernels by rank rows, NVLink, 0 SMs, 388000 ns, 815.00 GB/s, 1 ranks, ",
			"16: combine bf16/flat// kernels by rank rows, NVLink, 0 SMs, 400000 ns, 700.00 GB/s, 1 ranks, ",
			"17: combine bf16/contig// kernels by rank rows, NVLink, 0 SMs, 421500 ns, 650.00 GB/s, 1 ranks, ",
			"19: dispatch fp8/flat//outside kernels by rank rows, NVLink, 0 SMs, 230000 ns, 700.00 GB/s, 1 ranks, ",
		},
		"nixl-ep": {
			"14: dispatch fp8/expert//inside events by selections, 0 SMs, 38100 ns, 199.00 GB/s, 0 ranks, ranks=8 tokens=128 hidden=7168 experts=288 topk=8",
		},
		"nccl-ep": {
			"4: dispatch fp8/expert// host by selections, 0 SMs, 41500 ns, 180.25 GB/s, 0 ranks, ",
			"6: combine bf16/expert/expert/ host by selections, 0 SMs, 72000 ns, 200.00 GB/s, 0 ranks, ",
			"8: e2e /expert/expert/ host by selections, 0 SMs, 113500 ns, 195.00 GB/s, 0 ranks, ",
			"12: dispatch /expert// kernels by selections, 0 SMs, 33000 ns, 226.00 GB/s, 0 ranks, ",
		},
		"nccl-tests": {
			"4: alltoall, out of place float/// host by algbw, 0 SMs, 20000 ns, 52.43 GB/s, 0 ranks, bytes=1048576",
			"4: alltoall, in place float/// host by algbw, 0 SMs, 21000 ns, 49.93 GB/s, 0 ranks, bytes=1048576",
			"5: alltoall, out of place float/// host by algbw, 0 SMs, 25000 ns, 83.89 GB/s, 0 ranks, bytes=2097152",
			"5: alltoall, in place float/// host by algbw, 0 SMs, 26000 ns, 80.66 GB/s, 0 ranks, bytes=2097152",
			"9: alltoall, out of place float/// host by algbw, 0 SMs, 1400000 ns, 23.97 GB/s, 0 ranks, bytes=33554432",
			"9: alltoall, in place float/// host by algbw, 0 SMs, 1410000 ns, 23.80 GB/s, 0 ranks, bytes=33554432",
			"10: alltoall, out of place float/// host by algbw, 0 SMs, 570000 ns, 1.84 GB/s, 0 ranks, bytes=1048576",
			"10: alltoall, in place float/// host by algbw, 0 SMs, 500 ns, 2097.15 GB/s, 0 ranks, bytes=1048576",
			"11: alltoall, out of place bfloat16/// host by algbw, 0 SMs, 58000 ns, 36.16 GB/s, 0 ranks, bytes=2097152",
			"11: alltoall, in place bfloat16/// host by algbw, 0 SMs, 57000 ns, 36.79 GB/s, 0 ranks, bytes=2097152",
		},
		"nixlbench": {
			"6: write /// transfer by payload, 0 SMs, 6500 ns, 0.63 GB/s, 0 ranks, block=4096 batch=1",
			"7: write /// transfer by payload, 0 SMs, 30300 ns, 34.60 GB/s, 0 ranks, block=1048576 batch=1",
			"10: write /// transfer by payload, 0 SMs, 3100 ns, 2.63 GB/s, 0 ranks, block=8192 batch=64",
		},
	} {
		t.Run(tool, func(t *testing.T) {
			output, err := os.Open(filepath.Join("testdata", tool+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			defer output.Close()
			figures, err := foreign.Read(tool, output, "x.txt")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, figure := range figures {
				if figure.Tool != tool || figure.File != "x.txt" {
					t.Errorf("a figure of %s in %s", figure.Tool, figure.File)
				}
				got = append(got, brief(figure))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoOutputIsAnError(t *testing.T) {
	for _, tool := range foreign.Tools() {
		if _, err := foreign.Read(tool, strings.NewReader("Dear reader,\n"), "letter.txt"); err == nil ||
			!strings.Contains(err.Error(), "letter.txt: no figures of "+tool+" in 1 lines") {
			t.Errorf("%s: error %v", tool, err)
		}
	}
	if _, err := foreign.Read("mpi", strings.NewReader(""), "x"); err == nil || !strings.Contains(err.Error(), "try one of deepep, nccl-ep") {
		t.Errorf("error %v", err)
	}
	if _, err := foreign.Read("deepep", strings.NewReader(strings.Repeat("x", 2<<20)), "x"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a line without an end: error %v", err)
	}
}

// Figures of different boundaries, countings, layouts or shapes are never in one order.
func TestOnlyWhatIsAlikeIsRanked(t *testing.T) {
	ns := func(value float64) *float64 { return &value }
	base := foreign.Figure{
		Tool: "a", Operation: "dispatch", Shape: "s", Dtype: "fp8", Layout: "expert", Boundary: foreign.Events, Bytes: foreign.Selections, LatencyNS: ns(2),
	}
	faster := base
	faster.Tool, faster.LatencyNS = "b", ns(1)
	groups := foreign.Groups([]foreign.Figure{base, faster})
	if len(groups) != 1 || !groups[0].Ranked || groups[0].Figures[0].Tool != "b" {
		t.Errorf("%+v", groups)
	}
	for name, change := range map[string]func(*foreign.Figure){
		"boundary": func(f *foreign.Figure) { f.Boundary = foreign.Kernels }, "bytes": func(f *foreign.Figure) { f.Bytes = foreign.RankRows },
		"layout": func(f *foreign.Figure) { f.Layout = "flat" }, "shape": func(f *foreign.Figure) { f.Shape = "t" },
		"dtype": func(f *foreign.Figure) { f.Dtype = "bf16" }, "SMs": func(f *foreign.Figure) { f.SMs = 24 },
		"quantize": func(f *foreign.Figure) { f.Quantize = "outside" }, "combine": func(f *foreign.Figure) { f.Combine = "rank" },
	} {
		other := faster
		change(&other)
		if groups := foreign.Groups([]foreign.Figure{base, other}); len(groups) != 2 || groups[0].Ranked || groups[1].Ranked {
			t.Errorf("another %s: %+v", name, groups)
		}
	}
	base.Shape, faster.Shape = "", ""
	if groups := foreign.Groups([]foreign.Figure{base, faster}); len(groups) != 1 || groups[0].Ranked {
		t.Errorf("of unknown shape: %+v", groups)
	}
}

// A record stands beside a peer's figure where it has the same boundary.
func TestOursIsComparableWithWhatIsAlike(t *testing.T) {
	run := recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_DISPATCH, 8)
	kept, err := record.Read(run.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	ours := foreign.Ours(kept)
	if len(ours) != 2 || ours[0].Boundary != foreign.Events || ours[1].Boundary != foreign.Kernels {
		t.Fatalf("%+v", ours)
	}
	// Kernels of iteration i of rank r took 90 + i + r us, i from 1 to 99, r from 0 to 7.
	if got := *ours[1].LatencyNS; got < 143_499 || got > 143_501 {
		t.Errorf("kernels took %v ns", got)
	}
	output, err := os.Open("testdata/nixl-ep.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	theirs, err := foreign.Read("nixl-ep", output, "nixl-ep.txt")
	if err != nil {
		t.Fatal(err)
	}
	groups := foreign.Groups(slices.Concat(ours, theirs))
	if len(groups) != 2 || !groups[0].Ranked || len(groups[0].Figures) != 2 || groups[0].Figures[0].Tool != "nixl-ep" {
		t.Errorf("%+v", groups)
	}
	run.Header.Plan.RunId = "crowded"
	run.Header.Plan.SharedGpu = true
	if kept, err = record.Read(run.Write(t)); err != nil || foreign.Ours(kept) != nil {
		t.Errorf("a run on shared GPUs has figures, %v", err)
	}
}
