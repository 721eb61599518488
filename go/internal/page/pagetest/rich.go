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
	for _, sms := range []uint32{16, 64} {
		run := recordtest.Passed(epperfv1.Mode_MODE_COMBINE)
		run.OnGPUs(8)
		run.Header.Plan.RunId = fmt.Sprint("sms-", sms)
		run.Case().Sms = sms
		records = append(records, run.Read(t))
	}
	return records
}
