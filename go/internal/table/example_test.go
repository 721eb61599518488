package table_test

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/table"
)

// A renderer walks rows and cells, and chooses their form by kind and unit.
func ExampleTable() {
	latency := table.Table{
		Name: "figures",
		Rows: []table.Row{{
			Name: "latency", Label: "Latency", Unit: table.Nanoseconds, Better: table.Lower,
			Cells: []table.Cell{table.FloatCell("avg", 519_349), table.NoCell("p99")},
			Notes: []table.Note{{Name: "samples", Cells: []table.Cell{table.IntCell("count", 99)}}},
		}},
	}
	for _, row := range latency.Rows {
		for _, cell := range row.Cells {
			fmt.Printf("%s.%s: %v %s, %v is better\n", row.Name, cell.Name, cell.Value(), row.UnitOf(cell), row.Better)
		}
		for _, note := range row.Notes {
			count, _ := note.Cell("count")
			fmt.Printf("%s: %v\n", note.Name, count.Value())
		}
	}
	// Output:
	// latency.avg: 519349 ns, lower is better
	// latency.p99: <nil> ns, lower is better
	// samples: 99
}
