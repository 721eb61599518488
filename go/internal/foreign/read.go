package foreign

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const number = `([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)`

// value reads a number that a form has found; nil of one that is too large to be one.
func value(text string, factor float64) *float64 {
	parsed, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	parsed *= factor
	return &parsed
}

var (
	lowLatencyBoth = regexp.MustCompile(`^\[rank \d+\] Dispatch \+ combine bandwidth: ` + number + ` GB/s, avg_t=` + number + ` us`)
	lowLatencyEach = regexp.MustCompile(`^\[rank \d+\] Dispatch bandwidth: ` + number + ` GB/s, avg_t=` + number +
		` us \| Combine bandwidth: ` + number + ` GB/s, avg_t=` + number + ` us`)
	normal = regexp.MustCompile(`^\[tuning\] Best (dispatch|combine)(?: \((FP8|BF16)\))?: SMs (\d+),.*?` + number + ` GB/s \((RDMA|NVL)\)` +
		`(?:, ` + number + ` GB/s \(NVL\))?(?:,.*?t: ` + number + ` us)?`)
	transmit = regexp.MustCompile(`transmit: ` + number + ` us, notify: `)
)

// deepEP reads the outputs of DeepEP's tests. Its low-latency test prints a line for each rank: between
// events for both operations together, of the kernels alone for each. The test of its normal kernels prints
// the best of those it tried, over NVLink, and over RDMA where there is any.
func deepEP(all lines) []Figure {
	low := Figure{Layout: "expert", Combine: "expert", Quantize: "inside", Bytes: Selections}
	var figures []Figure
	means := means{}
	for at, line := range all {
		if found := lowLatencyBoth.FindStringSubmatch(line); found != nil {
			both := low
			both.Operation, both.Dtype, both.Boundary = "e2e", "fp8", Events
			figures = means.add(figures, both, at, found[2], found[1])
		}
		if found := lowLatencyEach.FindStringSubmatch(line); found != nil {
			each := low
			each.Operation, each.Dtype, each.Boundary = "dispatch", "fp8", Kernels
			figures = means.add(figures, each, at, found[2], found[1])
			each.Operation, each.Dtype, each.Quantize = "combine", "bf16", ""
			figures = means.add(figures, each, at, found[4], found[3])
		}
		if found := normal.FindStringSubmatch(line); found != nil {
			sms, _ := strconv.Atoi(found[3])
			of := Figure{
				Operation: found[1], Dtype: cmp.Or(strings.ToLower(found[2]), "bf16"), Layout: "flat", Boundary: Events, Bytes: RankRows, SMs: sms,
				Line: at + 1, Bandwidth: value(found[4], 1),
			}
			if found[2] == "FP8" {
				of.Quantize = "outside"
			}
			if found[5] == "RDMA" {
				of.Bytes += ", RDMA"
			} else {
				of.Bytes += ", NVLink"
			}
			if found[7] != "" {
				of.LatencyNS = value(found[7], 1e3)
			}
			if alone := transmit.FindStringSubmatch(line); alone != nil { // newer ones time kernels, by a profiler
				of.Boundary, of.LatencyNS = Kernels, value(alone[1], 1e3)
			}
			figures = append(figures, of)
			if found[6] != "" { // the same time, by what crossed NVLink
				of.Bytes, of.Bandwidth = RankRows+", NVLink", value(found[6], 1)
				figures = append(figures, of)
			}
		}
	}
	return figures
}

// means are where the figures are to which several ranks add.
type means map[string]int

// add makes a figure the mean of what ranks printed.
func (m means) add(figures []Figure, of Figure, line int, microseconds, gigabytes string) []Figure {
	latency, bandwidth := value(microseconds, 1e3), value(gigabytes, 1)
	if latency == nil || bandwidth == nil {
		return figures
	}
	of.normalize()
	at, known := m[of.Comparable()]
	if !known {
		m[of.Comparable()] = len(figures)
		of.Line, of.Ranks, of.LatencyNS, of.Bandwidth = line+1, 1, latency, bandwidth
		return append(figures, of)
	}
	sum := &figures[at]
	sum.Ranks++
	*sum.LatencyNS += (*latency - *sum.LatencyNS) / float64(sum.Ranks)
	*sum.Bandwidth += (*bandwidth - *sum.Bandwidth) / float64(sum.Ranks)
	return figures
}

var (
	modeLine   = regexp.MustCompile(`^Mode: (dispatch|combine|e2e)$`)
	ranksLine  = regexp.MustCompile(`^Ranks: (\d+), Tokens: (\d+), Hidden: (\d+)$`)
	expertLine = regexp.MustCompile(`^Experts: \d+/rank \((\d+) total\), TopK: (\d+)$`)
	rateLine   = regexp.MustCompile(`^Bandwidth \(GB/s\): +avg=` + number)
	timeLine   = regexp.MustCompile(`^Latency \((?:μs|µs|us)\): +avg=` + number)
)

// Shape is how shapes are written, so that those of different tools can be equal.
func Shape(ranks, tokens, hidden, experts, topk string) string {
	return fmt.Sprintf("ranks=%s tokens=%s hidden=%s experts=%s topk=%s", ranks, tokens, hidden, experts, topk)
}

// nixlEP reads the output of NIXL EP's Python performance test, from which epperf's own screen comes.
func nixlEP(all lines) []Figure {
	var figures []Figure
	of, shape := Figure{Layout: "expert", Combine: "expert", Boundary: Events, Bytes: Selections}, [3]string{}
	for at, line := range all {
		line = strings.TrimSpace(line)
		if found := modeLine.FindStringSubmatch(line); found != nil {
			of.Operation, of.Dtype, of.Quantize = found[1], "fp8", "inside"
			if found[1] == "combine" {
				of.Dtype, of.Quantize = "bf16", ""
			}
		}
		if found := ranksLine.FindStringSubmatch(line); found != nil {
			shape = [3]string(found[1:4])
		}
		if found := expertLine.FindStringSubmatch(line); found != nil && shape[0] != "" {
			of.Shape = Shape(shape[0], shape[1], shape[2], found[1], found[2])
		}
		if found := rateLine.FindStringSubmatch(line); found != nil && of.Operation != "" {
			of.Line, of.Bandwidth = at+1, value(found[1], 1)
		}
		if found := timeLine.FindStringSubmatch(line); found != nil && of.Operation != "" && of.Bandwidth != nil {
			of.LatencyNS = value(found[1], 1e3)
			figures = append(figures, of)
			of.Bandwidth = nil
		}
	}
	return figures
}

var (
	ncclSummary = regexp.MustCompile(`^=== Summary \((Low Latency|High Throughput)[^)]*\) ===`)
	ncclSection = regexp.MustCompile(`^--- (Host-observed|Kernel-only) performance ---`)
	ncclTime    = regexp.MustCompile(`^(Dispatch|Combine|Total)(?: \(([A-Z0-9+]+)\))?: +avg=` + number + ` us`)
	ncclRate    = regexp.MustCompile(`^throughput: avg=` + number + ` GB/s`)
)

// ncclEP reads the summary of NCCL EP's ep_bench.
func ncclEP(all lines) []Figure {
	var figures []Figure
	layout, boundary := "", Host
	for at, line := range all {
		line = strings.TrimSpace(line)
		if found := ncclSummary.FindStringSubmatch(line); found != nil {
			layout, boundary = map[string]string{"Low Latency": "expert", "High Throughput": "flat"}[found[1]], Host
		}
		if found := ncclSection.FindStringSubmatch(line); found != nil {
			boundary = map[string]Boundary{"Host-observed": Host, "Kernel-only": Kernels}[found[1]]
		}
		if found := ncclTime.FindStringSubmatch(line); found != nil && layout != "" {
			of := Figure{
				Operation: map[string]string{"Dispatch": "dispatch", "Combine": "combine", "Total": "e2e"}[found[1]], Layout: layout,
				Boundary: boundary, Bytes: Selections, Line: at + 1, LatencyNS: value(found[3], 1e3),
			}
			if layout == "flat" {
				of.Bytes = RankRows
			} else {
				of.Combine = "expert"
			}
			if found[2] == "FP8" || found[2] == "BF16" {
				of.Dtype = strings.ToLower(found[2])
			}
			figures = append(figures, of)
		}
		if found := ncclRate.FindStringSubmatch(line); found != nil && len(figures) > 0 && figures[len(figures)-1].Line == at {
			figures[len(figures)-1].Bandwidth = value(found[1], 1)
		}
	}
	return figures
}

var ncclTitle = regexp.MustCompile(`(all_reduce|all_gather|alltoallv?|broadcast|reduce_scatter|reduce|sendrecv|gather|scatter|hypercube)_perf`)

// ncclTests reads the table of an nccl-tests program: a line for each size, out of place and in place.
func ncclTests(all lines) []Figure {
	var figures []Figure
	operation := "collective"
	for at, line := range all {
		if found := ncclTitle.FindStringSubmatch(line); found != nil {
			operation = found[1]
		}
		fields := strings.Fields(line)
		if len(fields) < 12 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if _, err := strconv.ParseUint(fields[0], 10, 64); err != nil {
			continue
		}
		for place, first := range map[string]int{"out of place": 5, "in place": 9} {
			if first+2 >= len(fields) {
				continue
			}
			latency, rate := value(fields[first], 1e3), value(fields[first+1], 1)
			if latency == nil || rate == nil {
				continue
			}
			figures = append(figures, Figure{
				Operation: operation + ", " + place, Shape: "bytes=" + fields[0], Dtype: fields[2], Boundary: Host, Bytes: AlgorithmBytes,
				Line: at + 1, LatencyNS: latency, Bandwidth: rate,
			})
		}
	}
	return sorted(figures)
}

var (
	benchOperation = regexp.MustCompile(`^Op type .*: (READ|WRITE)$`)
	benchHead      = regexp.MustCompile(`^Block Size \(B\) +Batch Size +B/W \((GB|GiB)/[Ss]ec\) +Avg Lat\. \(us\)`)
)

// nixlBench reads the table of nixlbench: a line for each size of a block and of a batch.
func nixlBench(all lines) []Figure {
	var figures []Figure
	operation, unit := "transfer", 0.0
	for at, line := range all {
		line = strings.TrimSpace(line)
		if found := benchOperation.FindStringSubmatch(line); found != nil {
			operation = strings.ToLower(found[1])
		}
		if found := benchHead.FindStringSubmatch(line); found != nil {
			unit = map[string]float64{"GB": 1, "GiB": 1.073741824}[found[1]]
		}
		fields := strings.Fields(line)
		if unit == 0 || len(fields) < 4 {
			continue
		}
		if _, err := strconv.ParseUint(fields[0], 10, 64); err != nil {
			continue
		}
		rate, latency := value(fields[2], unit), value(fields[3], 1e3)
		if rate == nil || latency == nil {
			continue
		}
		figures = append(figures, Figure{
			Operation: operation, Shape: "block=" + fields[0] + " batch=" + fields[1], Boundary: Transfer, Bytes: Payload, Line: at + 1,
			LatencyNS: latency, Bandwidth: rate,
		})
	}
	return figures
}

// sorted puts figures in the order of their lines, and of one line by their names.
func sorted(figures []Figure) []Figure {
	slices.SortStableFunc(figures, func(a, b Figure) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), -strings.Compare(a.Operation, b.Operation))
	})
	return figures
}
