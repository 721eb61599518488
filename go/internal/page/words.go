package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/epperf/epperf/go/internal/table"
)

// worded is a cell as people read it.
func worded(row *table.Row, cell table.Cell) string {
	switch value := cell.Value().(type) {
	case nil:
		return "–"
	case string:
		return table.Printable(value)
	case []string:
		return table.Printable(strings.Join(value, ", "))
	case int64:
		return amount(float64(value), row.UnitOf(cell))
	case uint64:
		return amount(float64(value), row.UnitOf(cell))
	case float64:
		return amount(value, row.UnitOf(cell))
	default:
		return table.Printable(fmt.Sprint(value))
	}
}

// amount is a number with its unit, with four digits where it is measured.
func amount(value float64, unit table.Unit) string {
	switch unit {
	case table.Nanoseconds:
		switch size := math.Abs(value); {
		case size < 1e3:
			return digits(value) + " ns"
		case size < 1e7:
			return digits(value/1e3) + " μs"
		case size < 1e10:
			return digits(value/1e6) + " ms"
		default:
			return digits(value/1e9) + " s"
		}
	case table.BytesPerNanosecond:
		return digits(value) + " GB/s"
	case table.FlopPerNanosecond:
		return digits(value/1e3) + " TFLOP/s"
	case table.Ratio:
		return digits(100*value) + " %"
	case table.Bytes:
		return digits(value) + " bytes"
	default:
		return digits(value)
	}
}

// digits writes whole numbers in full, with commas, and others with four digits.
func digits(value float64) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "–"
	}
	if math.Abs(value) >= 1000 || value == math.Trunc(value) {
		text := strconv.FormatFloat(math.Abs(value), 'f', 0, 64)
		for end := len(text) - 3; end > 0; end -= 3 {
			text = text[:end] + "," + text[end:]
		}
		if value < 0 {
			return "−" + text
		}
		return text
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}
