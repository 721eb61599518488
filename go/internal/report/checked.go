package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// checked says what was compared, and what was wrong with which rank.
func checked(c *figures.CaseSummary) table.Table {
	rows := []table.Row{{Name: "checked", Label: "Checked", Cells: []table.Cell{
		table.IntCell("right", c.Check.RightRanks),
		table.IntCell("ranks", c.Ranks),
		table.CountCell("rows", c.Check.Rows),
		table.CountCell("wrong", c.Check.Wrong),
	}}}
	if c.Check.FirstWrong != nil {
		rows = append(rows, firstWrong(c))
	}
	for _, failure := range c.Failures {
		rows = append(rows, failed(failure))
	}
	return table.Table{Name: "checked", Rows: rows}
}

// failed says why a rank did not pass.
func failed(failure figures.Failure) table.Row {
	verdict := failure.Verdict
	row := table.Row{Name: "failure", Label: "Rank", Cells: []table.Cell{
		table.EnumCell(kind, string(verdict.Reason)),
		table.IntCell("rank", failure.Rank),
		table.CountCell("have", verdict.Have),
		table.CountCell("want", verdict.Want),
	}}
	if verdict.Error != "" {
		row.Cells = append(row.Cells, table.TextCell("error", verdict.Error))
	}
	return row
}

// firstWrong says where a value was wrong, which was read there and which had to be.
func firstWrong(c *figures.CaseSummary) table.Row {
	wrong := c.Check.FirstWrong
	row := table.Row{Name: "first_wrong", Label: "First wrong row", Cells: []table.Cell{
		table.EnumCell(kind, epperfv1.Name(wrong.GetKind())),
		table.IntCell("rank", int64(wrong.GetRank())),
		table.IntCell("source", int64(wrong.GetSourceRank())),
		table.IntCell("token", int64(wrong.GetToken())),
		table.IntCell("channel", int64(wrong.GetChannel())),
		table.CountCell("got", wrong.GetGot()),
		table.CountCell("want", wrong.GetWant()),
		table.EnumCell(encoding, encodingOf(wrong.GetKind(), c.Dtype)),
	}}
	switch {
	case wrong.Expert != nil:
		row.Cells = append(row.Cells, table.IntCell("expert", int64(wrong.GetExpert())))
	case c.RowsOnce: // no expert tells received rows from combined ones
		row.Notes = []table.Note{{Name: "received_or_combined"}}
	default:
		row.Notes = []table.Note{{Name: "combined"}}
	}
	return row
}

// encodingOf names what the bits of a wrong value are.
func encodingOf(kind epperfv1.WrongRow_Kind, dtype string) string {
	switch kind {
	case epperfv1.WrongRow_KIND_DISPATCH_ROW:
		return dtype
	case epperfv1.WrongRow_KIND_COMBINE_ROW, epperfv1.WrongRow_KIND_COPIED_ROW:
		return "bf16"
	case epperfv1.WrongRow_KIND_DISPATCH_SCALE:
		return "fp32"
	case epperfv1.WrongRow_KIND_DISPATCH_SOURCE:
		return "source"
	case epperfv1.WrongRow_KIND_DISPATCH_DESCRIPTION:
		return "word"
	case epperfv1.WrongRow_KIND_DISPATCH_COUNT, epperfv1.WrongRow_KIND_DISPATCH_BEGIN:
		return "number"
	default:
		return "byte"
	}
}
