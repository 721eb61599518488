package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/epperf/epperf/go/internal/table"
)

// Forms of {name|form}. Without one a value has the form of its unit.
//
//	,          14,680,064
//	count rank 1 rank, 2 ranks
//	duration   5m0s
//	percent    62%, of a ratio
//	change     +5.2%, of a ratio
//	rough      two digits
//	bits       0x38 (1): as the cell "encoding" says
//	unless X   not there if it is X, or reads as the cell X does
//	or X       X if it is not there
//	-30, 16    filled up to a width, from the left or from the right

var unitNames = map[table.Unit]string{
	table.Nanoseconds:        "μs",
	table.Bytes:              "bytes",
	table.BytesPerNanosecond: "GB/s",
	table.FlopPerNanosecond:  "TFLOP/s",
}

// plain gives a cell the form of its unit.
func (r rowText) plain(cell table.Cell) string {
	switch value := cell.Value().(type) {
	case nil:
		return r.missing()
	case string:
		return table.Printable(cmp.Or(enums[value], value))
	case []string:
		return table.Printable(strings.Join(value, ", "))
	}
	switch r.row.UnitOf(cell) {
	case table.Nanoseconds:
		return strconv.FormatFloat(float(cell)/1e3, 'f', r.decimals, 64)
	case table.Bytes:
		return thousands(cell)
	case table.BytesPerNanosecond:
		return fmt.Sprintf("%.2f", float(cell))
	case table.FlopPerNanosecond:
		return fmt.Sprintf("%.1f", float(cell)/1e3)
	case table.Ratio:
		return fmt.Sprintf("%.1f%%", 100*float(cell))
	default:
		return fmt.Sprint(cell.Value())
	}
}

// wordNumber gives a number a form that is not its unit's; false if there is no such form.
func wordNumber(cell table.Cell, form string) (string, bool) {
	if noun, counts := strings.CutPrefix(form, "count "); counts {
		if number := fmt.Sprint(cell.Value()); number != "1" {
			return number + " " + plural(noun), true
		}
		return "1 " + noun, true
	}
	switch form {
	case ",":
		return thousands(cell), true
	case "duration":
		return time.Duration(float(cell)).String(), true
	case "change":
		return fmt.Sprintf("%+.1f%%", 100*float(cell)), true
	case "rough":
		return fmt.Sprintf("%.2g", float(cell)), true
	case "percent":
		return fmt.Sprintf("%.0f%%", 100*float(cell)), true
	default:
		return "", false
	}
}

// plural is launches of launch, and ranks of rank.
func plural(noun string) string {
	if strings.HasSuffix(noun, "ch") {
		return noun + "es"
	}
	return noun + "s"
}

// formed fills text up to a width, if that is its form.
func formed(text, form string) string {
	width, err := strconv.Atoi(form)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%*s", width, text)
}

// float returns the value of a cell that is a number.
func float(cell table.Cell) float64 {
	switch value := cell.Value().(type) {
	case int64:
		return float64(value)
	case uint64:
		return float64(value)
	case float64:
		return value
	default:
		return 0
	}
}

// thousands writes 14680064 as 14,680,064.
func thousands(cell table.Cell) string {
	value, exact := cell.Value().(uint64)
	if !exact {
		value = uint64(float(cell))
	}
	digits := strconv.FormatUint(value, 10)
	for end := len(digits) - 3; end > 0; end -= 3 {
		digits = digits[:end] + "," + digits[end:]
	}
	return digits
}
