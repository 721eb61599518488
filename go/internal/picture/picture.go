// Package picture decides what is drawn of records: for each picture the values along its axes, and the
// table that says the same to who cannot see it. How it looks is the choice of a renderer.
package picture

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/table"
)

// A Picture has either Lines, Bars, Spans or a Matrix.
type Picture struct {
	// Name is what programs know it by, unique among the pictures of a Set.
	Name  string
	Title string
	// About says in a sentence what is to be seen.
	About  string
	Lines  *Lines
	Bars   *Bars
	Spans  *Spans
	Matrix *Matrix
	Table  table.Table
}

// An Axis is what values along it are.
type Axis struct {
	Label string
	Unit  table.Unit
	// Log: each step is a factor.
	Log bool
	// Names are what is along it, where that is not numbered.
	Names []string
}

// Lines are series over one axis.
type Lines struct {
	X, Y   Axis
	Series []Series
}

// A Series is points in the order of X.
type Series struct {
	Name string
	// Group is which of several colours; series of one group belong together.
	Group int
	Kind  SeriesKind
	X, Y  []float64
}

// A SeriesKind is what a series is of.
type SeriesKind int

// The kinds.
const (
	// Measured values, each a point.
	Measured SeriesKind = iota
	// Tail is measured, too: of the same iterations as another series, but rarer.
	Tail
	// Bound is what the machine could do at best.
	Bound
	// Steps is a distribution: so large a share is at most so long.
	Steps
)

// Bars are values of things that are numbered.
type Bars struct {
	X, Y   Axis
	Values []float64
	// Each bar is of so many things, of which it shows the mean.
	Each int
	// Mean of all, drawn across.
	Mean float64
}

// Spans are what was under way from when to when: a lane for each name of Y.
type Spans struct {
	X, Y Axis
	All  []Span
}

// A Span is in a lane, from one value of X to another.
type Span struct {
	Lane     int
	From, To float64
}

// A Matrix is a value for each row and column; NaN where there is none.
type Matrix struct {
	Rows, Columns, Value Axis
	Values               [][]float64
	// EachRow and EachColumn are how many rows and columns one cell stands for; it is the largest of
	// them.
	EachRow, EachColumn int
	// Words are what values stand for, by value, where they are no amounts.
	Words []string
}

// A Set is the pictures of some records: first those of all together, then those of each case, then those
// of each run, whatever its cases.
type Set struct {
	Together    []Picture
	Cases, Runs []CasePictures
}

// CasePictures are those of one case of one record.
type CasePictures struct {
	// Run and Name say which.
	Run, Name string // Name is empty of those of a run
	Pictures  []Picture
}

// Of returns all pictures of records with these summaries: those for which there is something to draw.
func Of(records []*record.Record, summaries []*figures.Summary) Set {
	var set Set
	var points []point
	for i, r := range records {
		summary := summaries[i]
		cases := r.Header.GetPlan().GetCases()
		for _, index := range summary.Order {
			c, s := cases[index], &summary.Cases[index]
			of := caseOf{r, index, s}
			if s.Slowest != nil && s.Calibration == nil {
				points = append(points, point{figures.ShapeOf(c), summary.Device, s})
			}
			if pictures := of.pictures(); len(pictures) > 0 {
				set.Cases = append(set.Cases, CasePictures{
					Run: r.Header.GetPlan().GetRunId(), Name: figures.ShapeOf(c).Name(), Pictures: pictures,
				})
			}
		}
	}
	for _, r := range records {
		if pictures := ofRun(r); len(pictures) > 0 {
			set.Runs = append(set.Runs, CasePictures{Run: r.Header.GetPlan().GetRunId(), Pictures: pictures})
		}
	}
	set.Together = together(points)
	return set
}

// present leaves out what there is not.
func present(pictures ...*Picture) []Picture {
	var there []Picture
	for _, p := range pictures {
		if p != nil {
			there = append(there, *p)
		}
	}
	return there
}
