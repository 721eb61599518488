// Package page renders records as one HTML file: no script, nothing from a network, readable in light
// and dark, on a phone and by a screen reader. What is drawn comes from package picture and what is
// written from the tables of package report; nothing is computed here but places and colours.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/picture"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
)

var (
	//go:embed page.html
	layout string
	//go:embed page.css
	style string

	page = template.Must(template.New("page").Funcs(template.FuncMap{"breaks": breaks}).Parse(layout))
)

// content is what the layout shows.
type content struct {
	Style    template.CSS
	Overview grid
	Together []figure
	Cases    []section
	Runs     []section
	Records  []screen
}

// A section is one case of one record, or a run as a whole.
type section struct {
	ID, Run, Name string
	Figures       []figure
}

// A figure is a picture with what says the same in words.
type figure struct {
	ID, Title, About string
	Drawn            template.HTML
	Legend           []legend
	TableTitle       string
	Table            grid
}

// A screen is what perf printed of a record.
type screen struct{ Path, Text string }

// A grid is a table of texts; the first column names the row.
type grid struct {
	Head []string
	Rows [][]string
	// Links are the sections that rows lead to, where rows lead anywhere; "" of one that does not.
	Links []string
}

// breaks writes a name so that a line ends behind one of its slashes, and not within a word.
func breaks(name string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(name), "/", "/<wbr>"))
}

// Write writes the page of some records.
func Write(w io.Writer, records []*record.Record) error {
	var summaries []*figures.Summary
	for _, r := range records {
		summaries = append(summaries, figures.Summarize(r))
	}
	all := content{Style: template.CSS(style), Overview: overview(records, summaries)}
	set := picture.Of(records, summaries)
	for i := range set.Together {
		all.Together = append(all.Together, draw("all", &set.Together[i]))
	}
	all.Cases, all.Runs = sections("case", set.Cases), sections("run", set.Runs)
	all.Overview.link(all.Cases)
	for i, r := range records {
		all.Records = append(all.Records, screen{table.Printable(r.Path), string(report.Text(summaries[i]))})
	}
	return page.Execute(w, all)
}

func sections(kind string, of []picture.CasePictures) (all []section) {
	for number := range of {
		c := &of[number]
		part := section{ID: fmt.Sprintf("%s-%d", kind, number+1), Run: table.Printable(c.Run), Name: table.Printable(c.Name)}
		for i := range c.Pictures {
			part.Figures = append(part.Figures, draw(part.ID, &c.Pictures[i]))
		}
		all = append(all, part)
	}
	return all
}

func draw(of string, p *picture.Picture) figure {
	f := figure{
		ID: of + "-" + p.Name, Title: p.Title, About: p.About, TableTitle: p.Table.Title, Table: gridOf(&p.Table),
	}
	switch {
	case p.Lines != nil:
		f.Drawn, f.Legend = drawLines(f.ID, p)
	case p.Spans != nil:
		f.Drawn = drawSpans(f.ID, p)
	case p.Bars != nil:
		f.Drawn = drawBars(f.ID, p)
	default:
		f.Drawn, f.Legend = drawMatrix(f.ID, p)
	}
	return f
}

// overviewCells are what a case comes to, by where they are in its tables.
var overviewCells = []struct{ head, table, row, cell string }{
	{"ranks passed", "verdict", "passed", "passed"},
	{"wrong rows", "checked", "checked", "wrong"},
	{"mean latency", "figures", "latency", "avg"},
	{"slowest p50", "run", "slowest", "p50"},
	{"slowest p99", "run", "slowest", "p99"},
	{"bandwidth", "figures", "bandwidth", "avg"},
	{"share of the limit", "detail", "share", ""},
}

// link has each line of the overview lead to its case's section, if there is one; both are in one order.
func (g *grid) link(cases []section) {
	for _, line := range g.Rows {
		to := ""
		if len(cases) > 0 && line[0] == cases[0].Name && line[1] == cases[0].Run {
			to, cases = cases[0].ID, cases[1:]
		}
		g.Links = append(g.Links, to)
	}
}

// overview is a line for each case.
func overview(records []*record.Record, summaries []*figures.Summary) grid {
	g := grid{Head: []string{"case", "run", "device", "ranks"}}
	for _, of := range overviewCells {
		g.Head = append(g.Head, of.head)
	}
	for i, r := range records {
		document := report.Describe(r, summaries[i])
		run := &document.Run.Rows[0]
		id, _ := run.Cell("id")
		device, _ := run.Cell("device")
		for _, index := range summaries[i].Order {
			c := &document.Cases[index]
			ranks, _ := c.Shape.Cell("ranks")
			line := []string{table.Printable(c.Name), worded(run, id), worded(run, device), worded(&c.Shape, ranks)}
			for _, of := range overviewCells {
				line = append(line, find(c.Tables, of.table, of.row, of.cell))
			}
			g.Rows = append(g.Rows, line)
		}
	}
	return g
}

// find returns a cell in words; a dash where there is none.
func find(tables []table.Table, name, row, cell string) string {
	for _, t := range tables {
		for i := range t.Rows {
			if t.Name != name || t.Rows[i].Name != row {
				continue
			}
			if found, ok := t.Rows[i].Cell(cell); ok {
				return worded(&t.Rows[i], found)
			}
		}
	}
	return "–"
}

// gridOf puts each row into a line. Columns are the names of cells, in order of appearance.
func gridOf(t *table.Table) grid {
	var g grid
	labelled := false
	at := map[string]int{}
	for i := range t.Rows {
		labelled = labelled || t.Rows[i].Label != ""
		for _, cell := range t.Rows[i].Cells {
			if _, known := at[cell.Name]; !known {
				at[cell.Name] = len(at)
				g.Head = append(g.Head, cell.Name)
			}
		}
	}
	for i := range t.Rows {
		line := make([]string, len(g.Head))
		for j := range line {
			line[j] = "–"
		}
		for _, cell := range t.Rows[i].Cells {
			line[at[cell.Name]] = worded(&t.Rows[i], cell)
		}
		if labelled {
			line = append([]string{table.Printable(t.Rows[i].Label)}, line...)
		}
		g.Rows = append(g.Rows, line)
	}
	if labelled {
		g.Head = append([]string{"series"}, g.Head...)
	}
	return g
}
