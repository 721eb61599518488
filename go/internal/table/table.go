// Package table is what a report says before it is text: rows of raw values with their units.
//
// Whoever builds a table computes nothing that a reader could not take for data: no rounded
// figures, no sentences. How many decimals a value gets and which words stand around it is the
// choice of a renderer, which goes by names, kinds and units.
package table

// A Table is rows that belong together, in the order in which they are to be read.
type Table struct {
	// Name is what programs know the table by. It never changes.
	Name string
	// Title is for people; may be empty.
	Title string
	Rows  []Row
}

// A Row is one fact or figure.
type Row struct {
	// Name is what programs know the row by. It never changes. The rows of a list follow each other
	// and share theirs.
	Name string
	// Label is for people.
	Label string
	// Unit is that of all cells that have none of their own.
	Unit Unit
	// Cells are in the order in which they are to be read. A row without is a figure that there is
	// not; its notes say why.
	Cells []Cell
	Notes []Note
	// Better says which of two values of the row is to be preferred.
	Better Better
}

// A Note is what has to be known beside a row's cells, or why some of them are missing.
type Note struct {
	// Name is what programs know the note by. It never changes. Its words are the renderer's.
	Name  string
	Cells []Cell
}

// Cell returns the cell of that name; false if there is none.
func (r *Row) Cell(name string) (Cell, bool) { return find(r.Cells, name) }

// Cell returns the cell of that name; false if there is none.
func (n *Note) Cell(name string) (Cell, bool) { return find(n.Cells, name) }

// UnitOf returns the unit of one of the row's cells.
func (r *Row) UnitOf(c Cell) Unit {
	if c.Unit != "" {
		return c.Unit
	}
	return r.Unit
}

func find(cells []Cell, name string) (Cell, bool) {
	for _, cell := range cells {
		if cell.Name == name {
			return cell, true
		}
	}
	return Cell{}, false
}

// A Unit is what a number counts. The empty Unit is that of plain counts and of text.
type Unit string

// Units are base units: a renderer scales them.
const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "bytes"
	// BytesPerNanosecond are decimal GB/s.
	BytesPerNanosecond Unit = "bytes/ns"
	// FlopPerNanosecond are thousandths of a TFLOP/s.
	FlopPerNanosecond Unit = "flop/ns"
	// Ratio is a part of one: 0.5 is one half.
	Ratio Unit = "ratio"
)

// Better says which of two values is to be preferred.
type Better int

const (
	// Neither: the row is no figure of merit.
	Neither Better = iota
	// Higher values are better.
	Higher
	// Lower values are better.
	Lower
)

// String returns neither, higher or lower.
func (b Better) String() string {
	switch b {
	case Higher:
		return "higher"
	case Lower:
		return "lower"
	default:
		return "neither"
	}
}
