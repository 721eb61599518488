package table

// A Kind is what a cell holds.
type Kind int

const (
	// Missing: the figure could not be computed. The row's notes say why.
	Missing Kind = iota
	// Int is an int64, and Count a uint64.
	Int
	Count
	// Float is a float64.
	Float
	// Text is a string that came from outside: a renderer has to make it harmless.
	Text
	// Enum is one of a fixed set of words.
	Enum
	// List is strings from outside.
	List
)

// A Cell is one value. The zero Cell is a missing one.
type Cell struct {
	// Name is what programs know the cell by within its row; may be empty where the row has one.
	Name string
	// Unit is empty where it is the row's.
	Unit Unit

	kind  Kind
	value any
}

// Kind says what the cell holds.
func (c Cell) Kind() Kind { return c.kind }

// Value returns an int64, uint64, float64, string or []string, as the kind says; nil if it is missing.
func (c Cell) Value() any { return c.value }

// In returns the cell with a unit that is not its row's.
func (c Cell) In(unit Unit) Cell {
	c.Unit = unit
	return c
}

// NoCell returns a cell whose value is missing.
func NoCell(name string) Cell { return Cell{Name: name} }

// IntCell returns a cell that holds a number which may be negative.
func IntCell[N ~int | ~int64](name string, value N) Cell {
	return Cell{Name: name, kind: Int, value: int64(value)}
}

// CountCell returns a cell that holds a number which cannot be negative.
func CountCell(name string, value uint64) Cell { return Cell{Name: name, kind: Count, value: value} }

// FloatCell returns a cell that holds a number which need not be whole.
func FloatCell(name string, value float64) Cell { return Cell{Name: name, kind: Float, value: value} }

// TextCell returns a cell that holds text from outside.
func TextCell(name, value string) Cell { return Cell{Name: name, kind: Text, value: value} }

// EnumCell returns a cell that holds a word of a fixed set.
func EnumCell(name, value string) Cell { return Cell{Name: name, kind: Enum, value: value} }

// ListCell returns a cell that holds texts from outside.
func ListCell(name string, values []string) Cell { return Cell{Name: name, kind: List, value: values} }
