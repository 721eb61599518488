// Package model says what nobody measured: how long an operation would take on other machines, by a line
// fitted through what was measured, and how a routing loads links, by a discrete model of them.
package model

import (
	"errors"
	"math"
	"slices"
)

// Terms are the bytes that one rank sends in an iteration, the rank that sends most: over memory that is mapped, its
// own included, and over a network.
type Terms struct{ MappedBytes, NetworkBytes float64 }

// A Point is a case that was measured.
type Point struct {
	Name string
	Terms
	NS float64
}

// A Fit is the line t = AlphaNS + MappedBytes * MappedNS + NetworkBytes * NetworkNS, of which no part is below 0. It
// makes the sum of squares of relative errors least: a case of 10 μs counts as much as one of 10 ms.
type Fit struct {
	AlphaNS float64
	// MappedNS and NetworkNS are of a byte.
	MappedNS, NetworkNS float64
	// Mapped and Network: some point has such bytes.
	Mapped, Network bool
	Points          int
	// HeldOut has each point as the line through all others predicts it.
	HeldOut []HeldOut
}

// HeldOut is a point that a line did not see.
type HeldOut struct {
	Name                 string
	MeasuredNS, LineAtNS float64
}

// Error is by how much the line is off, as a part of what was measured.
func (h HeldOut) Error() float64 { return math.Abs(h.LineAtNS/h.MeasuredNS - 1) }

// NS is the time of the line for some bytes.
func (f *Fit) NS(of Terms) float64 {
	return f.AlphaNS + f.MappedNS*of.MappedBytes + f.NetworkNS*of.NetworkBytes
}

// Errors are the median and the largest of the held-out points' errors.
func (f *Fit) Errors() (median, most float64) {
	var all []float64
	for _, each := range f.HeldOut {
		all = append(all, each.Error())
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/2], all[len(all)-1]
}

// leastPoints are needed: a line through as many as it has parts proves nothing.
const leastPoints = 4

// ErrTooFew means that there are too few points, or that they do not differ in bytes.
var ErrTooFew = errors.New("a line needs four cases or more, which differ in bytes: sweep over --tokens")

// FitPoints fits a line, and each line that leaves a point out.
func FitPoints(points []Point) (*Fit, error) {
	fit, ok := fitted(points)
	if !ok {
		return nil, ErrTooFew
	}
	for i := range points {
		others := slices.Delete(slices.Clone(points), i, i+1)
		if line, ok := fitted(others); ok || len(others) >= leastPoints-1 {
			fit.HeldOut = append(fit.HeldOut, HeldOut{points[i].Name, points[i].NS, line.NS(points[i].Terms)})
		}
	}
	return fit, nil
}

// fitted tries each choice of the three parts, the others being 0, and takes the best of those without a
// negative one.
func fitted(points []Point) (*Fit, bool) {
	fit := &Fit{Points: len(points)}
	distinct := map[Terms]bool{}
	for _, p := range points {
		fit.Mapped, fit.Network = fit.Mapped || p.MappedBytes > 0, fit.Network || p.NetworkBytes > 0
		distinct[p.Terms] = true
	}
	best := math.Inf(1)
	for parts := 1; parts < 8; parts++ {
		at, ok := solve(points, parts)
		if !ok || slices.Min(at[:]) < 0 {
			continue
		}
		line := Fit{AlphaNS: at[0], MappedNS: at[1], NetworkNS: at[2]}
		var squares float64
		for _, p := range points {
			off := line.NS(p.Terms)/p.NS - 1
			squares += off * off
		}
		if squares < best {
			best, fit.AlphaNS, fit.MappedNS, fit.NetworkNS = squares, line.AlphaNS, line.MappedNS, line.NetworkNS
		}
	}
	return fit, !math.IsInf(best, 0) && len(points) >= leastPoints && len(distinct) > 2
}

// solve finds the parts of a line whose bits are set, by their normal equations.
func solve(points []Point, parts int) (at [3]float64, ok bool) {
	var chosen []int
	for part := range 3 {
		if parts&(1<<part) != 0 {
			chosen = append(chosen, part)
		}
	}
	n := len(chosen)
	rows := make([][]float64, n) // with the right side behind
	for i := range rows {
		rows[i] = make([]float64, n+1)
	}
	for _, p := range points {
		values := [3]float64{1 / p.NS, p.MappedBytes / p.NS, p.NetworkBytes / p.NS}
		for i, a := range chosen {
			for j, b := range chosen {
				rows[i][j] += values[a] * values[b]
			}
			rows[i][n] += values[a]
		}
	}
	scales := make([]float64, n) // bytes are large and ones are small
	for i := range rows {
		scales[i] = math.Sqrt(rows[i][i])
		if scales[i] == 0 {
			return at, false
		}
	}
	for i := range rows {
		for j := range n {
			rows[i][j] /= scales[i] * scales[j]
		}
		rows[i][n] /= scales[i]
	}
	for i := range rows { // symmetric and positive: no pivot is needed, one near 0 has no solution
		if rows[i][i] < 1e-9 {
			return at, false
		}
		for k := range rows {
			if k == i {
				continue
			}
			factor := rows[k][i] / rows[i][i]
			for j := i; j <= n; j++ {
				rows[k][j] -= factor * rows[i][j]
			}
		}
	}
	for i, part := range chosen {
		at[part] = rows[i][n] / rows[i][i] / scales[i]
	}
	return at, true
}
