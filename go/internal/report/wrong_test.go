package report_test

import (
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// wantLine wants a line in the text of a run.
func wantLine(t *testing.T, run *recordtest.Run, line string) {
	t.Helper()
	if text, _ := show(t, run.Write(t)); !strings.Contains(text, "\n"+line+"\n") {
		t.Errorf("no line %q in:\n%s", line, text)
	}
}

func TestWhyARankDidNotPassIsSaid(t *testing.T) {
	for line, change := range map[string]func(*recordtest.Run){
		"lost rank 0":                                      func(r *recordtest.Run) { r.Results[1].Error = "lost rank 0" },
		"4 of 14976 checked rows are wrong":                func(r *recordtest.Run) { r.Results[1].Check.Wrong = 4 },
		"no row was checked although this rank moves some": func(r *recordtest.Run) { r.Results[1].Check.Rows = 0 },
		"no row was checked":                               func(r *recordtest.Run) { r.Results[1].Check = nil },
		"ended without a result after 3 of 3 iterations":   func(r *recordtest.Run) { r.Results = r.Results[:1] },
		"ended after 0 of 3 iterations":                    func(r *recordtest.Run) { r.Samples = r.Samples[:1] },
		"failed without saying why":                        func(r *recordtest.Run) { r.Results[1].Passed = false },
	} {
		t.Run(line, func(t *testing.T) {
			run := recordtest.Small()
			change(run)
			wantLine(t, run, "Rank 1: "+line)
		})
	}
}

// Where rows are kept once, no expert tells received rows' guards from combined ones'.
func TestAGuardOfRowsKeptOnceIsNotPinnedOnCombine(t *testing.T) {
	run := recordtest.Small()
	run.Case().Layout = epperfv1.Layout_LAYOUT_FLAT
	run.Results[0].Check.Wrong = 1
	run.Results[0].Check.First = &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_GUARD, Got: 0, Want: 0xa5}
	wantLine(t, run, "First wrong row: rank 0: guard beside the received or the combined rows, byte 0: got 0x00, want 0xa5")
}

func TestTheFirstWrongRowIsDescribed(t *testing.T) {
	expert := func(id uint32) *uint32 { return &id }
	const fp8, bf16 = epperfv1.Dtype_DTYPE_FP8, epperfv1.Dtype_DTYPE_BF16
	for name, test := range map[string]struct {
		dtype epperfv1.Dtype
		wrong *epperfv1.WrongRow
		want  string
	}{
		"fp8 row": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_ROW, SourceRank: 1, Token: 17, Expert: expert(40), Channel: 640, Got: 0x38, Want: 0xfe},
			"rank 0: dispatched row from rank 1, token 17, expert 40, channel 640: got 0x38 (1), want 0xfe (-448)",
		},
		"fp8 not a number and subnormal": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_ROW, Expert: expert(0), Got: 0x7f, Want: 0x01},
			"rank 0: dispatched row from rank 0, token 0, expert 0, channel 0: got 0x7f (NaN), want 0x01 (0.001953125)",
		},
		"bf16 row": {
			bf16, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_ROW, Expert: expert(1), Got: 0x3f80, Want: 0xc000},
			"rank 0: dispatched row from rank 0, token 0, expert 1, channel 0: got 0x3f80 (1), want 0xc000 (-2)",
		},
		"scale": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_SCALE, Expert: expert(1), Channel: 128, Got: 0, Want: 0x3f000000},
			"rank 0: scale of the dispatched row from rank 0, token 0, expert 1, channel 128: got 0x00000000 (0), want 0x3f000000 (0.5)",
		},
		"source": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_SOURCE, SourceRank: 1, Token: 5, Expert: expert(1), Got: 5, Want: 1<<32 | 5},
			"rank 0: source of the dispatched row from rank 1, token 5, expert 1, channel 0: got rank 0, token 5, want rank 1, token 5",
		},
		"count": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_COUNT, Expert: expert(9), Got: 12, Want: 13},
			"rank 0: number of rows at expert 9: got 12, want 13",
		},
		"guard": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_GUARD, Expert: expert(9), Channel: 3, Got: 0, Want: 0xa5},
			"rank 0: guard beside the rows of expert 9, byte 3: got 0x00, want 0xa5",
		},
		"guard of the combined rows": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_GUARD, Channel: 3, Got: 0, Want: 0xa5},
			"rank 0: guard beside the combined rows, byte 3: got 0x00, want 0xa5",
		},
		"count of a source": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_COUNT, SourceRank: 1, Got: 12, Want: 13},
			"rank 0: number of rows from rank 1: got 12, want 13",
		},
		"begin": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_BEGIN, Expert: expert(9), Got: 128, Want: 256},
			"rank 0: first row at expert 9: got 128, want 256",
		},
		"padding": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_PADDING, Expert: expert(9), Channel: 3, Got: 0xa5},
			"rank 0: a row of padding behind those at expert 9, byte 3: got 0xa5, want 0x00",
		},
		"description": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_DISPATCH_DESCRIPTION, SourceRank: 1, Token: 5, Got: 1<<32 | 7, Want: 2<<32 | 7},
			"rank 0: description of the row from rank 1, token 5: got 0x100000007, want 0x200000007",
		},
		"combined row has no expert": {
			fp8, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_COMBINE_ROW, Token: 3, Channel: 1, Got: 0x7fc0, Want: 0x3f00},
			"rank 0: combined row from rank 0, token 3, channel 1: got 0x7fc0 (NaN), want 0x3f00 (0.5)",
		},
		"a kind from the future": {
			fp8, &epperfv1.WrongRow{Kind: 99, Token: 3, Got: 1, Want: 2},
			"rank 0: row from rank 0, token 3, channel 0: got 0x01, want 0x02",
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Small()
			run.Case().Dtype = test.dtype
			run.Results[0].Check.Wrong, run.Results[0].Check.First = 1, test.wrong
			later := &epperfv1.WrongRow{Rank: 1}
			run.Results[1].Check.Wrong, run.Results[1].Check.First = 1, later
			wantLine(t, run, "First wrong row: "+test.want)
		})
	}
}

// soakWrong is a soak that found a wrong row in its third round.
func soakWrong(r *recordtest.Run) {
	*r = *recordtest.Soaked()
	for _, result := range r.Results {
		result.Soak.Rounds = 4
	}
	wrong := r.Results[2]
	wrong.Soak.Wrong, wrong.Soak.WrongRound, wrong.Check.Wrong, wrong.Passed = 1, new(uint32(2)), 1, false
	wrong.Check.First = &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_COMBINE_ROW, Rank: 2, SourceRank: 2, Token: 5, Got: 0x3f80}
	r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "1 of 8 ranks failed"
}
