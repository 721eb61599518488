package foreign

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

var (
	lowLatencyBoth = regexp.MustCompile(`^\[rank \d+\] Dispatch \+ combine bandwidth: ` + number + ` GB/s, avg_t=` + number + ` us`)
	lowLatencyEach = regexp.MustCompile(`^\[rank \d+\] Dispatch bandwidth: ` + number + ` GB/s, avg_t=` + number +
		` us \| Combine bandwidth: ` + number + ` GB/s, avg_t=` + number + ` us`)
	normal = regexp.MustCompile(`^\[tuning\] Best (dispatch|combine)(?: \((FP8|BF16)\))?: SMs (\d+),.*?` + number + ` GB/s \((RDMA|NVL)\)` +
		`(?:, ` + number + ` GB/s \(NVL\))?(?:,.*?t: ` + number + ` us)?`)
	elastic = regexp.MustCompile(`^ *\S EP: +\d+/\d+ \| (?:(expanded|cached|reduced) )?(dispatch|combine): ` + number + ` GB/s \(SO\), ` +
		number + ` GB/s \(SU\), ` + number + ` us, \d+ bytes \| (?:copy|reduce): ` + number + ` GB/s, ` + number + ` us`)
	elasticCase = regexp.MustCompile(`^ *> Testing with .*\buse_fp8_dispatch=([01])\b`)
	transmit    = regexp.MustCompile(`transmit: ` + number + ` us, notify: `)
)

// deepEP reads the outputs of DeepEP's tests. Its low-latency test prints a line for each rank: between
// events for both operations together, of the kernels alone for each. The test of its normal kernels prints
// the best of those it tried, over NVLink, and over RDMA where there is any. The test of version 2 prints a
// line for each rank and operation.
func deepEP(all lines) []Figure {
	low := Figure{Layout: "expert", Combine: "expert", Quantize: "inside", Bytes: Selections}
	var figures []Figure
	means, dtype := means{}, ""
	for at, line := range all {
		if found := elasticCase.FindStringSubmatch(line); found != nil {
			clear(means) // another case, whose figures are its own
			dtype = map[string]string{"0": "bf16", "1": "fp8"}[found[1]]
		}
		if found := elastic.FindStringSubmatch(line); found != nil {
			figures = means.add(figures, ofElastic(found[1], found[2], dtype), at, sum(found[5], found[7]), found[4])
		}
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

// ofElastic is what a line of version 2 is of: both of its kernels, of which the second copies rows to where they
// belong, or adds them up. Its bandwidth is of the first alone. With a cached layout nothing is counted.
func ofElastic(way, operation, dtype string) Figure {
	of := Figure{Operation: operation, Dtype: dtype, Layout: "flat", Boundary: Kernels, Bytes: RankRows + ", NVLink"}
	switch way {
	case "expanded", "reduced":
		of.Layout = "contig"
	case "cached":
		of.Operation += ", cached"
	}
	if operation == "combine" {
		of.Dtype = "bf16"
	} else if dtype == "fp8" {
		of.Quantize = "outside"
	}
	return of
}

// sum adds two numbers as they are printed.
func sum(a, b string) string {
	x, y := value(a, 1), value(b, 1)
	if x == nil || y == nil {
		return ""
	}
	return strconv.FormatFloat(*x+*y, 'f', -1, 64)
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
