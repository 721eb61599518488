package table_test

import (
	"reflect"
	"testing"

	"github.com/epperf/epperf/go/internal/table"
)

func TestACellKnowsItsKind(t *testing.T) {
	for name, test := range map[string]struct {
		cell  table.Cell
		kind  table.Kind
		value any
	}{
		"missing": {table.NoCell("x"), table.Missing, nil},
		"zero":    {table.Cell{}, table.Missing, nil},
		"int":     {table.IntCell("x", -3), table.Int, int64(-3)},
		"count":   {table.CountCell("x", 1<<63), table.Count, uint64(1 << 63)},
		"float":   {table.FloatCell("x", 0.5), table.Float, 0.5},
		"text":    {table.TextCell("x", "\x1b"), table.Text, "\x1b"},
		"enum":    {table.EnumCell("x", "e2e"), table.Enum, "e2e"},
		"list":    {table.ListCell("x", []string{"a"}), table.List, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.cell.Kind() != test.kind || !reflect.DeepEqual(test.cell.Value(), test.value) {
				t.Errorf("%v of kind %v; want %v of %v", test.cell.Value(), test.cell.Kind(), test.value, test.kind)
			}
		})
	}
}

func TestACellsOwnUnitGoesFirst(t *testing.T) {
	row := table.Row{
		Unit:  table.Nanoseconds,
		Cells: []table.Cell{table.IntCell("p50", 7), table.FloatCell("share", 0.5).In(table.Ratio)},
	}
	for name, want := range map[string]table.Unit{"p50": table.Nanoseconds, "share": table.Ratio} {
		if cell, ok := row.Cell(name); !ok || row.UnitOf(cell) != want {
			t.Errorf("%s is in %q, %t; want %q", name, row.UnitOf(cell), ok, want)
		}
	}
	if _, ok := row.Cell("p99"); ok {
		t.Error("there is a cell that nobody put there")
	}
}
