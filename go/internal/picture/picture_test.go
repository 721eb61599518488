package picture_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/picture"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// named returns a picture of a list.
func named(t *testing.T, pictures []picture.Picture, name string) picture.Picture {
	t.Helper()
	for _, p := range pictures {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no picture %s", name)
	return picture.Picture{}
}

// ladder is runs of more and more tokens, and of more and more multiprocessors.
func ladder(t *testing.T) (records []*record.Record) {
	for i, tokens := range []uint32{512, 1, 32, 32} {
		run := recordtest.Detailed(epperfv1.Mode_MODE_DISPATCH)
		run.Header.Hosts[0].UsableCpus = 8
		run.Header.Limit = limit()
		run.Header.Plan.RunId = fmt.Sprint(i)
		for rank := range run.Case().TokensOfRank {
			run.Case().TokensOfRank[rank] = tokens
		}
		for _, samples := range run.Samples {
			for at := range samples.DurationNs {
				samples.DurationNs[at] += uint64(tokens)*1000 + uint64(i)
			}
		}
		records = append(records, run.Read(t))
	}
	for _, sms := range []uint32{16, 64} {
		run := recordtest.Passed(epperfv1.Mode_MODE_DISPATCH)
		run.OnGPUs(8)
		run.Header.Plan.RunId = fmt.Sprint("sms", sms)
		run.Case().Sms = sms
		records = append(records, run.Read(t))
	}
	return records
}

// limit is that of a machine that copies a byte in a nanosecond.
func limit() *epperfv1.Limit {
	return &epperfv1.Limit{
		RunId: "c", Case: &epperfv1.Case{
			Ranks: 1, TokensOfRank: []uint32{1}, Hidden: 512,
			Passes: []*epperfv1.Pass{{Kind: epperfv1.Pass_KIND_COPY, Direction: epperfv1.Pass_DIRECTION_PUT, Count: 3, Rows: 1, DistinctRows: 1}},
		},
		Samples: []*epperfv1.Samples{{DurationNs: []uint64{9e9, 1024, 1024}}},
	}
}

func of(records []*record.Record) picture.Set {
	var summaries []*figures.Summary
	for _, r := range records {
		summaries = append(summaries, figures.Summarize(r))
	}
	return picture.Of(records, summaries)
}

func TestLatencyAgainstTokens(t *testing.T) {
	p := named(t, of(ladder(t)).Together, "latency-tokens")
	var names []string
	for _, s := range p.Lines.Series {
		names = append(names, s.Name)
		if !slices.Equal(s.X, []float64{1, 32, 512}) || !slices.IsSorted(s.Y) && s.Kind != picture.Bound {
			t.Errorf("%s is at %v: %v", s.Name, s.X, s.Y)
		}
	}
	if diff := cmp.Diff([]string{"dispatch: p50", "dispatch: floor"}, names); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	// Of two launches with 32 tokens the lower: iteration 50 of rank 7, 1,507 us and what 32 tokens add.
	if got := p.Lines.Series[0].Y[1]; got != 1_507_000+32_000+2 {
		t.Errorf("p50 of 32 tokens is %v", got)
	}
	if len(p.Table.Rows) != 3 {
		t.Errorf("%d rows in its table", len(p.Table.Rows))
	}
}

func TestBandwidthHasItsLimit(t *testing.T) {
	p := named(t, of(ladder(t)).Together, "bandwidth-tokens")
	if len(p.Lines.Series) != 2 || p.Lines.Series[1].Kind != picture.Bound {
		t.Fatalf("series %v", p.Lines.Series)
	}
	for _, row := range p.Table.Rows {
		mean, _ := row.Cell("mean")
		most, _ := row.Cell("limit")
		if mean.Kind() != table.Float || most.Kind() != table.Float {
			t.Errorf("row %v", row.Cells)
		}
	}
}

func TestLatencyAgainstMultiprocessors(t *testing.T) {
	p := named(t, of(ladder(t)).Together, "latency-sms")
	if !slices.Equal(p.Lines.Series[0].X, []float64{16, 64}) {
		t.Errorf("multiprocessors %v", p.Lines.Series[0].X)
	}
}

// A single case is nothing to draw a line of.
func TestOneCaseHasNoLine(t *testing.T) {
	if set := of([]*record.Record{recordtest.Small().Read(t)}); len(set.Together) > 0 {
		t.Errorf("%d pictures of all together", len(set.Together))
	}
}

func TestASlowRankIsALine(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	for i := range run.Samples[5].DurationNs {
		run.Samples[5].DurationNs[i] *= 2
	}
	p := named(t, of([]*record.Record{run.Read(t)}).Cases[0].Pictures, "heat")
	if len(p.Matrix.Values) != 8 || len(p.Matrix.Values[0]) != 99 {
		t.Fatalf("%d ranks, %d iterations", len(p.Matrix.Values), len(p.Matrix.Values[0]))
	}
	for i := range 99 {
		if p.Matrix.Values[5][i] < 1.9*p.Matrix.Values[4][i] {
			t.Fatalf("in iteration %d rank 5 took %v, rank 4 %v", i, p.Matrix.Values[5][i], p.Matrix.Values[4][i])
		}
	}
	first := p.Table.Rows[0]
	rank, _ := first.Cell("rank")
	ratio, _ := first.Cell("to the middle rank")
	if rank.Value() != int64(5) || ratio.Value().(float64) < 1.99 {
		t.Errorf("the slowest rank is %v, %v of the middle one", rank.Value(), ratio.Value())
	}
}

func TestTheDistributionEndsAtAll(t *testing.T) {
	p := named(t, of([]*record.Record{recordtest.Passed(epperfv1.Mode_MODE_E2E).Read(t)}).Cases[0].Pictures, "distribution")
	s := p.Lines.Series[0]
	if len(s.X) != 99 || s.Y[98] != 1 || s.X[98] != 1_997_000 || !slices.IsSorted(s.X) || !slices.IsSorted(s.Y) {
		t.Errorf("%d steps, the last to %v at %v", len(s.X), s.Y[98], s.X[98])
	}
}

func traffic(run *recordtest.Run) {
	for rank, result := range run.Results {
		result.Traffic.RowsToRank = []uint64{1, 2, 3, 4, 5, 6, 7, 8}
		result.Traffic.SelectionsOfExpert = slices.Repeat([]uint64{uint64(rank)}, 36)
		for peer := range run.Results {
			path := epperfv1.Path_PATH_MAPPED
			if peer == rank {
				path = epperfv1.Path_PATH_OWN
			}
			result.PathToRank = append(result.PathToRank, path)
		}
	}
}

func TestTraffic(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	traffic(run)
	run.Header.Hosts[0].NetDevicesOfRank = []string{"mlx5_0:1"}
	pictures := of([]*record.Record{run.Read(t)}).Cases[0].Pictures
	pairs := named(t, pictures, "pairs")
	if pairs.Matrix.Values[2][7] != 8 {
		t.Errorf("rows from 2 to 7: %v", pairs.Matrix.Values[2][7])
	}
	if receives, _ := pairs.Table.Rows[7].Cell("receives"); receives.Value() != uint64(64) {
		t.Errorf("rank 7 receives %v rows", receives.Value())
	}
	experts := named(t, pictures, "experts")
	if len(experts.Bars.Values) != 144 || experts.Bars.Each != 2 || experts.Bars.Mean != 3.5 { // of 288
		t.Errorf("%d bars, mean %v", len(experts.Bars.Values), experts.Bars.Mean)
	}
	reach := named(t, pictures, "reach")
	if reach.Matrix.Words[int(reach.Matrix.Values[3][3])] != "own" || reach.Matrix.Words[int(reach.Matrix.Values[3][4])] != "mapped" {
		t.Errorf("paths of rank 3: %v", reach.Matrix.Values[3])
	}
	if nics, _ := reach.Table.Rows[0].Cell("NICs"); nics.Value() != "mlx5_0:1" {
		t.Errorf("NICs of rank 0: %v", nics.Value())
	}
}

// Of a rank that left nothing there is nothing in the picture, and no picture of what nobody left.
func TestWhatIsMissingIsLeftOut(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.Samples = run.Samples[:7]
	run.Results[0].Traffic.RowsToRank = slices.Repeat([]uint64{1}, 5000) // more ranks than there are
	run.Results = run.Results[:7]
	pictures := of([]*record.Record{run.Read(t)}).Cases[0].Pictures
	heat := named(t, pictures, "heat")
	if !math.IsNaN(heat.Matrix.Values[7][0]) || len(heat.Table.Rows) != 7 {
		t.Errorf("rank 7 took %v; %d rows", heat.Matrix.Values[7][0], len(heat.Table.Rows))
	}
	for _, p := range pictures {
		if p.Name == "distribution" || p.Name == "experts" || p.Name == "reach" {
			t.Errorf("there is a picture %s", p.Name)
		}
	}
}

func TestManyRanksShareCells(t *testing.T) {
	run := recordtest.Small()
	c := run.Case()
	const ranks = 1024
	c.Ranks, c.TokensOfRank, c.Passes[0].Count = ranks, slices.Repeat([]uint32{1}, ranks), 1000
	run.Samples, run.Results = nil, nil
	for rank := range uint32(ranks) {
		ns := uint64(1000)
		if rank == 777 {
			ns = 5000
		}
		run.Samples = append(run.Samples, &epperfv1.Samples{Rank: rank, DurationNs: slices.Repeat([]uint64{ns}, 1000)})
		run.Results = append(run.Results, &epperfv1.RankResult{Rank: rank, Passed: true})
	}
	heat := named(t, of([]*record.Record{run.Read(t)}).Cases[0].Pictures, "heat")
	if m := heat.Matrix; len(m.Values) != 128 || m.EachRow != 8 || len(m.Values[0]) > 240 || m.Values[777/8][0] != 5000 || m.Values[0][0] != 1000 {
		t.Errorf("%d by %d cells, rank 777 took %v", len(m.Values), len(m.Values[0]), m.Values[777/8][0])
	}
}

// Of more lines than can be told apart, each mode's are in a picture of their own.
func TestManyLinesAreApartByMode(t *testing.T) {
	var records []*record.Record
	for _, mode := range []epperfv1.Mode{epperfv1.Mode_MODE_DISPATCH, epperfv1.Mode_MODE_COMBINE} {
		for hidden := range uint32(4) {
			for _, tokens := range []uint32{8, 128} {
				run := recordtest.Passed(mode)
				run.Header.Plan.RunId = fmt.Sprintf("%d-%d-%d", mode, hidden, tokens)
				run.Header.Hosts[0].UsableCpus = 8
				run.Case().Hidden = 1024 * (hidden + 1)
				for rank := range run.Case().TokensOfRank {
					run.Case().TokensOfRank[rank] = tokens
				}
				records = append(records, run.Read(t))
			}
		}
	}
	together := of(records).Together
	for _, name := range []string{"latency-tokens-dispatch", "bandwidth-tokens-combine"} {
		if p := named(t, together, name); len(p.Lines.Series) < 4 {
			t.Errorf("%s has %d lines", name, len(p.Lines.Series))
		}
	}
	if len(together) != 4 {
		t.Errorf("%d pictures", len(together))
	}
}

func TestStepsAreDrawnRoundByRound(t *testing.T) {
	run := recordtest.Controlled()
	r := run.Read(t)
	rounds := named(t, of([]*record.Record{r}).Cases[0].Pictures, "rounds")
	if len(rounds.Lines.Series) != 6 || len(rounds.Table.Rows) != 6 {
		t.Fatalf("%d series, %d rows", len(rounds.Lines.Series), len(rounds.Table.Rows))
	}
	if init := rounds.Lines.Series[0]; len(init.X) != 100 || init.X[99] != 100 || init.Y[99] != 100e6+99e6+7e3 {
		t.Errorf("%+v", init)
	}
}
