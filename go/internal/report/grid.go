package report

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/epperf/epperf/go/internal/table"
)

// A grid is a table whose rows have the same cells: a column for each, as wide as what is in it. Its heads
// are the names of cells with their units; what a row has to be taken with stands behind it.

// writeGrid writes rows so.
func (s *style) writeGrid(all *strings.Builder, rows []table.Row) {
	if len(rows) == 0 {
		return
	}
	var head []string
	right := make([]bool, len(rows[0].Cells))
	for i, cell := range rows[0].Cells {
		unit := ""
		for _, row := range rows { // a missing cell has none
			if of := unitNames[row.UnitOf(row.Cells[i])]; of != "" {
				unit = " (" + of + ")"
			}
			right[i] = right[i] || !slices.Contains([]table.Kind{table.Text, table.Enum, table.Missing}, row.Cells[i].Kind())
		}
		head = append(head, cell.Name+unit)
	}
	lines := [][]string{head}
	for i := range rows {
		var line []string
		for _, cell := range rows[i].Cells {
			text := "n/a"
			if cell.Kind() != table.Missing {
				text = rowText{&rows[i], s}.plain(cell)
			}
			line = append(line, text)
		}
		if notes, ok := (rowText{&rows[i], s}).notes(); ok {
			line = append(line, notes)
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(head))
	for _, line := range lines {
		for i := range head {
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
	}
	for _, line := range lines {
		var text strings.Builder
		for i, part := range line {
			if i > 0 {
				text.WriteString("  ")
			}
			room := ""
			if i < len(head) {
				room = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(part))
			}
			if i < len(head) && right[i] {
				text.WriteString(room + part)
			} else {
				text.WriteString(part + room)
			}
		}
		all.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
}
