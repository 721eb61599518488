package picture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// A point is one case among others, on one kind of device.
type point struct {
	shape  figures.Shape
	device string
	of     *figures.CaseSummary
}

// A line is cases that differ in one number alone.
type line struct {
	name   string
	points []point
}

func together(points []point) []Picture {
	tokens := func(p point) int { return p.shape.MaxTokens }
	sms := func(p point) int { return p.shape.SMs }
	all := linesOf(points, "tokens", tokens)
	var some []point
	for _, p := range points {
		if p.shape.SMs > 0 {
			some = append(some, p)
		}
	}
	var pictures []*Picture
	for _, g := range groups(all) {
		pictures = append(pictures,
			latency(g.named("latency-tokens", "Latency against tokens"), Axis{Label: "tokens per rank", Log: true}, g.lines, tokens),
			bandwidth(g.named("bandwidth-tokens", "Bandwidth against tokens"), g.lines, tokens))
	}
	for _, g := range groups(linesOf(some, "sms", sms)) {
		pictures = append(pictures, latency(g.named("latency-sms", "Latency against multiprocessors"), Axis{Label: "multiprocessors (SMs)"}, g.lines, sms))
	}
	return present(pictures...)
}

// A group is lines that stand in one picture.
type group struct {
	mode  string // of all of them; "" where they are not put apart
	lines []line
}

// groups puts lines apart by their modes where all of them would hide each other.
func groups(lines []line) []group {
	if len(lines) <= mostWithTails {
		return []group{{lines: lines}}
	}
	var all []group
	for _, l := range lines {
		mode := l.points[0].shape.Mode
		i := slices.IndexFunc(all, func(g group) bool { return g.mode == mode })
		if i < 0 {
			i, all = len(all), append(all, group{mode: mode})
		}
		all[i].lines = append(all[i].lines, l)
	}
	return all
}

// A heading is what a picture is called, for programs and for people.
type heading struct{ name, title string }

func (g group) named(name, title string) heading {
	if g.mode == "" {
		return heading{name, title}
	}
	return heading{name + "-" + g.mode, title + ", " + g.mode}
}

// linesOf puts cases together that differ in one part of their names. The lines' own names leave out
// what all have in common.
func linesOf(points []point, part string, at func(point) int) []line {
	var lines []line
	for _, p := range points {
		var parts []string
		for _, each := range strings.Split(p.shape.Name(), "/") {
			if !strings.HasPrefix(each, part+"=") {
				parts = append(parts, each)
			}
		}
		name := strings.Join(append(parts, p.device), "/")
		i := slices.IndexFunc(lines, func(l line) bool { return l.name == name })
		if i < 0 {
			i, lines = len(lines), append(lines, line{name: name})
		}
		lines[i].points = append(lines[i].points, p)
	}
	for i := range lines {
		slices.SortStableFunc(lines[i].points, func(a, b point) int { return cmp.Compare(at(a), at(b)) })
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return at(l.points[0]) == at(l.points[len(l.points)-1]) })
	shorten(lines)
	return lines
}

// places returns the points of a line by where they are along it: several are launches of one case.
func (l line) places(at func(point) int) [][]point {
	var places [][]point
	for _, p := range l.points {
		if last := len(places) - 1; last >= 0 && at(places[last][0]) == at(p) {
			places[last] = append(places[last], p)
		} else {
			places = append(places, []point{p})
		}
	}
	return places
}

// middle is the lower median of what points have; nil where none has anything.
func middle(points []point, of func(*figures.CaseSummary) *float64) *float64 {
	var values []float64
	for _, p := range points {
		if value := of(p.of); value != nil {
			values = append(values, *value)
		}
	}
	if values == nil {
		return nil
	}
	slices.Sort(values)
	return &values[(len(values)-1)/2]
}

// shorten leaves out of names what all lines have, but for the mode.
func shorten(lines []line) {
	counts := map[string]int{}
	for _, l := range lines {
		for _, part := range strings.Split(l.name, "/") {
			counts[part]++
		}
	}
	for i, l := range lines {
		mode, rest, _ := strings.Cut(l.name, "/")
		parts := []string{mode}
		for _, part := range strings.Split(rest, "/") {
			if counts[part] < len(lines) && part != "" {
				parts = append(parts, strings.Replace(part, "=", " ", 1))
			}
		}
		lines[i].name = strings.Join(parts, ", ")
	}
}

// mostWithTails lines have p99 and a floor beside them; of more, these would hide each other, and stand in
// the table alone.
const mostWithTails = 6

func latency(of heading, x Axis, lines []line, at func(point) int) *Picture {
	if len(lines) == 0 {
		return nil
	}
	p := &Picture{
		Name: of.name, Title: of.title,
		About: "p50 and p99 of the slowest rank of each iteration, of several launches the middle one; the dashed floor is what the machine's limit alone would take.",
		Lines: &Lines{X: x, Y: Axis{Label: "slowest rank", Unit: table.Nanoseconds, Log: true}},
		Table: table.Table{Name: of.name, Title: of.title},
	}
	tails := len(lines) <= mostWithTails
	if !tails {
		p.About = "p50 of the slowest rank of each iteration, of several launches the middle one; p99 and the floor, what the machine's limit alone would take, are in the table."
	}
	for group, l := range lines {
		p50 := Series{Name: l.name, Group: group}
		if tails {
			p50.Name += ": p50"
		}
		p99 := Series{Name: l.name + ": p99", Group: group, Kind: Tail}
		floor := Series{Name: l.name + ": floor", Group: group, Kind: Bound}
		for _, launches := range l.places(at) {
			place := float64(at(launches[0]))
			row := table.Row{Name: "point", Label: l.name, Unit: table.Nanoseconds, Cells: []table.Cell{
				table.IntCell(x.Label, at(launches[0])).In("count"),
			}}
			add := func(s *Series, name string, ns *float64) {
				if ns == nil {
					row.Cells = append(row.Cells, table.NoCell(name))
					return
				}
				s.X, s.Y = append(s.X, place), append(s.Y, *ns)
				row.Cells = append(row.Cells, table.FloatCell(name, *ns))
			}
			add(&p50, "p50", middle(launches, func(c *figures.CaseSummary) *float64 { return float(c.Slowest.P50) }))
			add(&p99, "p99", middle(launches, func(c *figures.CaseSummary) *float64 { return float(c.Slowest.P99) }))
			add(&floor, "floor", middle(launches, floorNS))
			p.Table.Rows = append(p.Table.Rows, row)
		}
		for _, s := range []Series{p50, p99, floor} {
			if len(s.X) > 0 && (s.Kind == Measured || tails) {
				p.Lines.Series = append(p.Lines.Series, s)
			}
		}
	}
	return p
}

func bandwidth(of heading, lines []line, at func(point) int) *Picture {
	if len(lines) == 0 {
		return nil
	}
	x := Axis{Label: "tokens per rank", Log: true}
	p := &Picture{
		Name: of.name, Title: of.title,
		About: "Bytes of all selections over the mean latency, mean over ranks; the dashed limit is the same bytes in the time of the floor.",
		Lines: &Lines{X: x, Y: Axis{Label: "bandwidth", Unit: table.BytesPerNanosecond}},
		Table: table.Table{Name: of.name, Title: of.title},
	}
	for group, l := range lines {
		measured := Series{Name: l.name, Group: group}
		limit := Series{Name: l.name + ": limit", Group: group, Kind: Bound}
		for _, launches := range l.places(at) {
			place := float64(at(launches[0]))
			row := table.Row{Name: "point", Label: l.name, Unit: table.BytesPerNanosecond, Cells: []table.Cell{
				table.IntCell(x.Label, at(launches[0])).In("count"), table.NoCell("mean"), table.NoCell("limit"),
			}}
			if mean := middle(launches, bandwidthOf); mean != nil {
				measured.X, measured.Y = append(measured.X, place), append(measured.Y, *mean)
				row.Cells[1] = table.FloatCell("mean", *mean)
			}
			if most := middle(launches, limitOf); most != nil {
				limit.X, limit.Y = append(limit.X, place), append(limit.Y, *most)
				row.Cells[2] = table.FloatCell("limit", *most)
			}
			p.Table.Rows = append(p.Table.Rows, row)
		}
		for _, s := range []Series{measured, limit} {
			if len(s.X) > 0 && (s.Kind == Measured || len(lines) <= mostWithTails) {
				p.Lines.Series = append(p.Lines.Series, s)
			}
		}
	}
	return p
}

func bandwidthOf(c *figures.CaseSummary) *float64 {
	if c.Bandwidth == nil {
		return nil
	}
	return &c.Bandwidth.Avg
}

// limitOf is the bandwidth of the same bytes in the time of the floor.
func limitOf(c *figures.CaseSummary) *float64 {
	floor := floorNS(c)
	if floor == nil || *floor <= 0 || c.Bandwidth == nil || c.LatencyNS == nil {
		return nil
	}
	most := c.Bandwidth.Avg * c.LatencyNS.Avg / *floor
	return &most
}

// floorNS is what the machine's limit alone would take; nil where nobody knows it.
func floorNS(c *figures.CaseSummary) *float64 {
	if c.Detail == nil || c.Detail.Share == nil {
		return nil
	}
	var ns float64
	for _, part := range c.Detail.Share.Parts {
		ns += part.Bytes / part.Rate
	}
	return &ns
}

func float(ns *int64) *float64 {
	if ns == nil {
		return nil
	}
	value := float64(*ns)
	return &value
}
