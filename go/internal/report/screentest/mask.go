// Package screentest makes screens comparable that different machines printed at different times.
package screentest

import (
	"regexp"
	"strings"
)

var (
	// measured lines hold figures that no two runs share.
	measured = regexp.MustCompile(`(?m)^(Bandwidth|Latency|Slowest rank|Fresh entry|Chained pair|Graph replay|Kernels only|(?:Cached copy|Copy), .*|Flag round trip|Flags-only epoch) \((?:GB/s|μs)\):.*$`)
	share    = regexp.MustCompile(`(?m)^(Share of the limit:) \d+\.\d% \((.*) bytes per rank at \d+\.\d\d GB/s, calibration .*\)$`)
	figure   = regexp.MustCompile(`=\d+\.(\d+)`)
	warnings = regexp.MustCompile(`(?m)^Warning: (?:two groups of durations|ranks waited for CPUs|a hypervisor|a cgroup had used up).*\n`)
	path     = regexp.MustCompile(`(?m)^Record: .+$`)
	memory   = regexp.MustCompile(`(?m)^(Memory of .*:) [\d,]+ bytes(?:, more than the| of) [\d,]+ (?:that .* leaves)$`)
	flushed  = regexp.MustCompile(`(?m)^(  of its own, at most|    cache flush, while it lasts) +[\d,]+$`)
	cores    = regexp.MustCompile(`(?m)^(Device: .* on )\d+ cores?(?:: checks correctness, not speed)?\)$`)
)

// Mask writes # for the digits of every measured figure, keeping how many decimals it has, and
// PATH for the record's path, and leaves out warnings of a machine that others use as well. It keeps all
// that a plan determines: shapes, bytes, checked rows. Text that is masked already stays as it is.
func Mask(text string) string {
	text = measured.ReplaceAllStringFunc(text, func(line string) string {
		return figure.ReplaceAllStringFunc(line, func(number string) string {
			_, decimals, _ := strings.Cut(number, ".")
			return "=#." + strings.Repeat("#", len(decimals))
		})
	})
	text = share.ReplaceAllString(text, "${1} #.#% (${2} bytes per rank at #.## GB/s, calibration ID)")
	text = warnings.ReplaceAllLiteralString(text, "")
	return path.ReplaceAllLiteralString(text, "Record: PATH")
}

// MaskMachine masks, besides, how many cores and how much memory there were, what flushes their caches
// and what follows from all that, so that a screen can be compared with one of another machine. Both
// have to go through it.
func MaskMachine(text string) string {
	text = memory.ReplaceAllString(Mask(text), "${1} # bytes of # that # leaves")
	text = flushed.ReplaceAllString(text, "${1} #")
	return cores.ReplaceAllString(text, "${1}# cores)")
}
