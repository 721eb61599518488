// Package screentest makes screens comparable that different machines printed at different times.
package screentest

import (
	"regexp"
	"strings"
)

var (
	// measured lines hold figures that no two runs share.
	measured = regexp.MustCompile(`(?m)^(Bandwidth \(GB/s\)|Latency \(μs\)|Slowest rank \(μs\)):.*$`)
	figure   = regexp.MustCompile(`=\d+\.(\d+)`)
	path     = regexp.MustCompile(`(?m)^Record: .+$`)
	cores    = regexp.MustCompile(`(?m)^(Device: .* on )\d+ cores?(?:: checks correctness, not speed)?\)$`)
)

// Mask writes # for the digits of every measured figure, keeping how many decimals it has, and
// PATH for the record's path. It keeps all that a plan determines: shapes, bytes, checked rows.
// Text that is masked already stays as it is.
func Mask(text string) string {
	text = measured.ReplaceAllStringFunc(text, func(line string) string {
		return figure.ReplaceAllStringFunc(line, func(number string) string {
			_, decimals, _ := strings.Cut(number, ".")
			return "=#." + strings.Repeat("#", len(decimals))
		})
	})
	return path.ReplaceAllLiteralString(text, "Record: PATH")
}

// MaskMachine masks, besides, how many cores there were and what follows from their number, so
// that a screen can be compared with one of another machine. Both have to go through it.
func MaskMachine(text string) string {
	return cores.ReplaceAllString(Mask(text), "${1}# cores)")
}
