package report

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/epperf/epperf/go/internal/record"
)

// This file writes the lines that follow the known block: how the run ended if not well, the
// slowest rank, the bytes, and what was checked.

func writeOurs(text *bytes.Buffer, s *record.Summary, c *record.CaseSummary) {
	if s.PartOfNode != nil {
		fmt.Fprintf(text, "Part: only what the ranks of node %d reported\n", *s.PartOfNode)
	}
	if how := ended(s); how != "" {
		fmt.Fprintln(text, how)
	}
	if c.Routing != "" { // two routings never look alike
		fmt.Fprintf(text, "Routing: %s\n", c.Routing)
	}
	if len(c.Throttled) > 0 {
		fmt.Fprintf(text, "Warning: clocks of GPUs were lowered while they were measured: %s\n", throttled(c.Throttled))
	}
	// Ranks that outnumber CPUs take turns, and that is said already.
	if c.Groups != nil && !s.Oversubscribed {
		fmt.Fprintf(text, "Warning: two groups of durations (μs): %s\n", groups(c.Groups))
	}
	if c.Soak == nil {
		fmt.Fprintf(text, "Slowest rank (μs): %s\n", slowest(c))
	}
	if c.Detail != nil {
		writeDetail(text, s, c)
	}
	if b := c.BytesPerRank; b != nil {
		fmt.Fprintf(text, "Bytes a rank: %s\n", counts(b))
	} else {
		fmt.Fprintln(text, "Bytes a rank: n/a")
	}
	if n := c.Network; n != nil {
		writeNetwork(text, n)
	}
	writeChecked(text, c)
	if c.Soak != nil {
		fmt.Fprintf(text, "Soak: %s epochs, %s checked in full, %s rows, %s wrong\n",
			thousands(c.Soak.Epochs), thousands(c.Soak.Checked), thousands(c.Soak.Rows), thousands(c.Soak.Wrong))
	}
}

// plannedSoak says what was asked for.
func plannedSoak(s *record.SoakSummary) string {
	how := "checked in full for at most half of the time"
	if s.CheckEvery > 0 {
		how = fmt.Sprintf("one in %s checked in full", thousands(s.CheckEvery))
	}
	if s.PlannedEpochs > 0 {
		return fmt.Sprintf("soak of %s epochs, %s", thousands(s.PlannedEpochs), how)
	}
	return fmt.Sprintf("soak of %v, %s", s.Planned, how)
}

// writeNetwork says what moved rows, in UCX's own words.
func writeNetwork(text *bytes.Buffer, n *record.NetworkSummary) {
	list := func(items []string, none string) string {
		return printable(cmp.Or(strings.Join(items, ", "), none))
	}
	fmt.Fprintf(text, "Network: UCX %s (modules: %s)\n", list(n.UCXVersions, "of unknown version"), list(n.Modules, "none"))
	for _, transport := range n.Transports {
		fmt.Fprintf(text, "Transport: %s\n", printable(transport))
	}
	if len(n.Slower) > 0 {
		ranks := strings.ReplaceAll(strings.Trim(fmt.Sprint(n.Slower), "[]"), " ", ", ")
		fmt.Fprintf(text, "Warning: without its module cma UCX takes a slower way; is UCX_MODULE_DIR right? (ranks: %s)\n", ranks)
	}
}

// throttled names ranks and reasons: rank 3 (power), rank 5 (power, temperature).
func throttled(ranks []record.Throttled) string {
	var each []string
	for _, of := range ranks {
		each = append(each, fmt.Sprintf("rank %d (%s)", of.Rank, strings.Join(of.Reasons, ", ")))
	}
	return strings.Join(each, ", ")
}

// groups says what is the middle and the share of each of two groups of durations.
func groups(of *record.Groups) string {
	each := func(group record.Group) string {
		return fmt.Sprintf("p50=%s (%.0f%%)", microseconds(float64(group.P50NS)), 100*group.Share)
	}
	return each(of.Lower) + " and " + each(of.Upper)
}

// writeChecked says what was compared, and what was wrong with which rank.
func writeChecked(text *bytes.Buffer, c *record.CaseSummary) {
	fmt.Fprintf(text, "Checked: %d/%d ranks, %s rows, %s wrong\n",
		c.Check.RightRanks, c.Ranks, thousands(c.Check.Rows), thousands(c.Check.Wrong))
	if c.Check.FirstWrong != "" {
		fmt.Fprintf(text, "First wrong row: %s\n", printable(c.Check.FirstWrong))
	}
	for _, failure := range c.Failures {
		fmt.Fprintf(text, "Rank %d: %s\n", failure.Rank, printable(failure.Error))
	}
}

// ended says how the run came to its end; "" if it passed.
func ended(s *record.Summary) string {
	switch s.Ending {
	case record.Passed:
		return ""
	case record.Incomplete:
		return "Incomplete: the run ended without closing its record, which holds what was written until then"
	case record.Interrupted:
		return "Interrupted: " + printable(cmp.Or(s.Error, "the run was ended by a signal"))
	default:
		return "Failed: " + printable(cmp.Or(s.Error, "the record does not say why"))
	}
}

// slowest prints quantiles over iterations of the longest duration that any rank had.
func slowest(c *record.CaseSummary) string {
	if c.Slowest == nil {
		return noFigures(c)
	}
	return quantiles(c.Slowest, microseconds)
}

func quantiles(q *record.Quantiles, print func(ns float64) string) string {
	quantile := func(ns *int64) string {
		if ns == nil {
			return fmt.Sprintf("n/a (%s)", plural(q.Samples, "sample"))
		}
		return print(float64(*ns))
	}
	return fmt.Sprintf("p50=%s p95=%s p99=%s max=%s", quantile(q.P50), quantile(q.P95), quantile(q.P99), print(float64(q.Max)))
}

// thousands writes 14680064 as 14,680,064.
func thousands(value uint64) string {
	digits := strconv.FormatUint(value, 10)
	for end := len(digits) - 3; end > 0; end -= 3 {
		digits = digits[:end] + "," + digits[end:]
	}
	return digits
}

// printable keeps text from a file on its one line and away from the terminal's controls.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
