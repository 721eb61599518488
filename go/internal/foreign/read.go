package foreign

import (
	"fmt"
	"regexp"
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

var (
	ncclTitle = regexp.MustCompile(`(all_reduce|all_gather|alltoallv?|broadcast|reduce_scatter|reduce|sendrecv|gather|scatter|hypercube)_perf`)
	// launcherPrefix is what mpirun may put before a line.
	launcherPrefix = regexp.MustCompile(`^\[\d+(?:,\d+)?\](?:<std(?:out|err)>:)?`)
)

// placeFields are time, algbw, busbw and the number of wrong values, of out of place and of in place. They end a
// line; before them there are size, count and type, in some versions also an operator and a root.
const placeFields = 4

// ncclTests reads the table of an nccl-tests program: a line for each size, out of place and in place.
func ncclTests(all lines) []Figure {
	var figures []Figure
	operation := "collective"
	for at, line := range all {
		if found := ncclTitle.FindStringSubmatch(line); found != nil {
			operation = found[1]
		}
		fields := strings.Fields(launcherPrefix.ReplaceAllString(line, ""))
		if len(fields) < 3+2*placeFields || len(fields) > 5+2*placeFields {
			continue
		}
		if _, err := strconv.ParseUint(fields[0], 10, 64); err != nil {
			continue
		}
		for i, place := range []string{"out of place", "in place"} {
			of := fields[len(fields)-(2-i)*placeFields:]
			latency, rate := value(of[0], 1e3), value(of[1], 1)
			if latency == nil || rate == nil {
				continue
			}
			figures = append(figures, Figure{
				Operation: operation + ", " + place, Shape: "bytes=" + fields[0], Dtype: fields[2], Boundary: Host, Bytes: AlgorithmBytes,
				Line: at + 1, LatencyNS: latency, Bandwidth: rate,
			})
		}
	}
	return figures
}

var (
	benchOperation = regexp.MustCompile(`^Op type .*: (READ|WRITE)$`)
	benchHead      = regexp.MustCompile(`^Block Size \(B\) {2,}Batch Size {2,}`)
	benchColumn    = regexp.MustCompile(` {2,}`)
	benchRates     = map[string]float64{"B/W (GB/Sec)": 1, "B/W (GiB/Sec)": 1.073741824}
)

// nixlBench reads the table of nixlbench: a line for each size of a block and of a batch, in columns that
// versions have in different orders.
func nixlBench(all lines) []Figure {
	var figures []Figure
	operation, unit, rateAt, latencyAt := "transfer", 0.0, 0, 0
	for at, line := range all {
		line = strings.TrimSpace(line)
		if found := benchOperation.FindStringSubmatch(line); found != nil {
			operation = strings.ToLower(found[1])
		}
		if benchHead.MatchString(line) {
			unit, latencyAt = 0, 0
			for column, name := range benchColumn.Split(line, -1) {
				if factor := benchRates[strings.ReplaceAll(name, "/sec", "/Sec")]; factor > 0 && unit != 1 {
					unit, rateAt = factor, column
				}
				if name == "Avg Lat. (us)" {
					latencyAt = column
				}
			}
		}
		fields := strings.Fields(line)
		if unit == 0 || latencyAt == 0 || len(fields) <= max(rateAt, latencyAt) {
			continue
		}
		if _, err := strconv.ParseUint(fields[0], 10, 64); err != nil {
			continue
		}
		rate, latency := value(fields[rateAt], unit), value(fields[latencyAt], 1e3)
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
