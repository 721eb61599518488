package report

import (
	"strconv"

	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// placed says on which CPUs a host's ranks run, those of one place together, in the order of the first of each.
func placed(places []*epperfv1.Place) []table.Row { return groups("place", "Ranks", places) }

// groups leaves out ranks that have no place.
func groups(name, label string, places []*epperfv1.Place) []table.Row {
	ranksAt, order := map[string]string{}, []*epperfv1.Place{}
	for rank, place := range places {
		if place == nil {
			continue
		}
		if _, known := ranksAt[place.GetCpus()]; !known {
			order = append(order, place)
			ranksAt[place.GetCpus()] = strconv.Itoa(rank)
			continue
		}
		ranksAt[place.GetCpus()] += "," + strconv.Itoa(rank)
	}
	var rows []table.Row
	for _, place := range order {
		row := table.Row{Name: name, Label: label, Cells: []table.Cell{
			table.TextCell("ranks", ranksAt[place.GetCpus()]), table.TextCell("cpus", place.GetCpus()),
		}}
		if place.NumaNode != nil {
			row.Cells = append(row.Cells, table.CountCell("node", uint64(place.GetNumaNode())))
		}
		if place.GetMemory() {
			row.Cells = append(row.Cells, table.TextCell("memory", "memory"))
		}
		rows = append(rows, row)
	}
	return rows
}
