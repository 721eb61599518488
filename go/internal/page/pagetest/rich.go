// Package pagetest makes records of runs that never happened and have every picture, for tests of pages.
package pagetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// moments are those of two cases.
func moments() (all []*epperfv1.Moment) {
	at := uint64(0)
	for _, name := range []string{"joined", "ready", "met", "connected", "checked", "timing", "timed", "cleanup", "connected", "checked", "timing", "timed", "cleanup"} {
		at += 30_000_000
		all = append(all, &epperfv1.Moment{Name: name, SinceStartNs: at})
	}
	return all
}

// ManyLines returns records of a ladder of tokens in so many ways that colours alone do not tell them apart.
func ManyLines(t testing.TB) (records []*record.Record) {
	t.Helper()
	for hidden := range uint32(9) {
		for _, tokens := range []uint32{8, 128} {
			run := recordtest.Small()
			run.Header.Plan.RunId = fmt.Sprint("many-", hidden, "-", tokens)
			run.Case().TokensOfRank, run.Case().Hidden = []uint32{tokens, tokens}, 1024*(hidden+1)
			for _, samples := range run.Samples {
				for at := range samples.DurationNs {
					samples.DurationNs[at] += uint64(tokens) * uint64(hidden+1) * 1000
				}
			}
			records = append(records, run.Read(t))
		}
	}
	return records
}

// Rich returns records that have every picture: a ladder of tokens and one of multiprocessors, traffic, and a rank that is slow.
func Rich(t testing.TB) (records []*record.Record) {
	t.Helper()
	for i, tokens := range []uint32{8, 128, 512} {
		run := recordtest.Detailed(epperfv1.Mode_MODE_DISPATCH)
		run.Header.Plan.RunId = fmt.Sprint("tokens-", tokens)
		run.Header.Hosts[0].UsableCpus = 8
		for rank, result := range run.Results {
			run.Case().TokensOfRank[rank] = tokens
			result.Traffic.RowsToRank = []uint64{1, 2, 3, 4, 5, 6, 7, 8}
			result.Traffic.SelectionsOfExpert = slices.Repeat([]uint64{uint64(rank + i)}, 36)
			result.PathToRank = slices.Repeat([]epperfv1.Path{epperfv1.Path_PATH_MAPPED}, 8)
			result.PathToRank[rank] = epperfv1.Path_PATH_OWN
		}
		for _, samples := range run.Samples {
			for at := range samples.DurationNs {
				samples.DurationNs[at] += uint64(tokens) * 1000
				if samples.GetRank() == 5 {
					samples.DurationNs[at] += 400_000
				}
			}
		}
		records = append(records, run.Read(t))
	}
	records[0].Trailer.Moments = moments()
	records[0].Header.Hosts[0].Nearness = &epperfv1.Nearness{
		Devices: []string{"GPU0", "GPU1", "mlx5_0", "mlx5_1"},
		Ways:    []string{"X", "NV18", "PXB", "SYS", "NV18", "X", "SYS", "PXB", "PXB", "SYS", "X", "SYS", "SYS", "PXB", "SYS", "X"},
	}
	for _, sms := range []uint32{16, 64} {
		run := recordtest.Passed(epperfv1.Mode_MODE_COMBINE)
		run.OnGPUs(8)
		run.Header.Plan.RunId = fmt.Sprint("sms-", sms)
		run.Case().Sms = sms
		records = append(records, run.Read(t))
	}
	return records
}
