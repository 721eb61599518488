package epperfv1

import (
	"slices"
	"strings"
)

// This file is what follows from the passes of a case: who reports how much of each.

// Operations returns a pass of so many iterations of a mode, back to back.
func Operations(mode Mode, count int) *Pass {
	return &Pass{Kind: Pass_KIND_OPERATIONS, Operation: mode, Count: uint32(count)}
}

// Durations returns how many durations a rank reports of a pass.
func (p *Pass) Durations(rank int) uint64 {
	if p.GetKind() == Pass_KIND_ROUND_TRIPS && rank != 0 {
		return 0 // rank 0 reports them for both
	}
	return uint64(p.GetCount())
}

// MovesRows reports whether a pass leaves something behind that a check can compare.
func (p *Pass) MovesRows() bool {
	return p.GetOperation() != Mode_MODE_UNSPECIFIED || p.GetKind() == Pass_KIND_COPY
}

// Dispatches and Combines report whether operations of a pass are, or hold, one of these.
func (p *Pass) Dispatches() bool {
	return p.GetOperation() == Mode_MODE_DISPATCH || p.GetOperation() == Mode_MODE_E2E
}

// Combines is there with Dispatches.
func (p *Pass) Combines() bool {
	return p.GetOperation() == Mode_MODE_COMBINE || p.GetOperation() == Mode_MODE_E2E
}

// Meters reports whether a meter runs in a pass.
func (p *Pass) Meters() bool { return p.GetMeter() != Pass_METER_UNSPECIFIED }

// Of returns where the blocks of a pass ran; nil where nobody said.
func (s *SmUse) Of(pass int) *PassSms {
	for _, of := range s.GetOfPass() {
		if int(of.GetPass()) == pass {
			return of
		}
	}
	return nil
}

// Label names a pass in messages: its kind, for copies with direction and how, as "copy get alone",
// and with a meter that runs, as "meter gemm" and "beside gemm".
func (p *Pass) Label() string {
	words := []string{Name(p.GetKind())}
	if p.GetKind() == Pass_KIND_COPY {
		words = append(words, Name(p.GetDirection()))
		if p.GetDistinctRows() < p.GetRows() {
			words = append(words, "cached")
		}
		if p.GetAlone() {
			words = append(words, "alone")
		}
	}
	if p.Meters() {
		words = append(words, Name(p.GetMeter()))
		if p.GetKind() == Pass_KIND_METER && p.GetOperation() != Mode_MODE_UNSPECIFIED {
			words = append(words, "beside")
		}
	}
	return strings.Join(words, " ")
}

// PassOf returns the index of the case's first pass that `is` holds of; -1 if of none.
func (c *Case) PassOf(is func(*Pass) bool) int { return slices.IndexFunc(c.GetPasses(), is) }

// PassOfKind returns the index of the case's first pass of a kind; -1 if it has none.
func (c *Case) PassOfKind(kind Pass_Kind) int {
	return c.PassOf(func(p *Pass) bool { return p.GetKind() == kind })
}

// Pass returns a pass of the case; of an index that is none, an empty one.
func (c *Case) Pass(index int) *Pass {
	if index < 0 || index >= len(c.GetPasses()) {
		return nil
	}
	return c.GetPasses()[index]
}

// Iterations returns how many iterations the case's first pass times.
func (c *Case) Iterations() int { return int(c.Pass(0).GetCount()) }

// Calibrate is the ModeName of a case that measures the machine itself.
const Calibrate = "calibrate"

// ModeName names what a case measures: its mode, Control or Calibrate.
func (c *Case) ModeName() string {
	if c.Controls() {
		return Control
	}
	if !c.Operates() {
		return Calibrate
	}
	return Name(c.GetMode())
}

// Operates reports whether tokens travel in a case. Else it measures the machine itself.
func (c *Case) Operates() bool { return c.GetMode() != Mode_MODE_UNSPECIFIED }

// TimesOperations reports whether it times them, which neither a soak, a control plane nor an elastic run does.
func (c *Case) TimesOperations() bool {
	return c.Operates() && c.GetSoak() == nil && !c.Controls() && c.GetPhase() == nil
}

// CopiedRows returns the most rows that any pass of the case copies: a rank has room for so many.
func (c *Case) CopiedRows() uint32 {
	var rows uint32
	for _, p := range c.GetPasses() {
		rows = max(rows, p.GetRows())
	}
	return rows
}
