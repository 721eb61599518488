package page

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"

	"github.com/epperf/epperf/go/internal/picture"
	"github.com/epperf/epperf/go/internal/table"
)

// Where a picture's parts are, in its own units: a phone shows 520 of them in 360 pixels.
const (
	width, height        = 520.0, 320.0
	left, right          = 92.0, 14.0
	top, bottom          = 12.0, 52.0
	plotWidth            = width - left - right
	plotHeight           = height - top - bottom
	mostTicks            = 6
	charactersOfAxisUnit = 7.2 // width of a character
)

// A drawing is an SVG that grows.
type drawing struct{ strings.Builder }

// begin opens a drawing that a screen reader calls by its title and sentence.
func begin(id string, p *picture.Picture) *drawing {
	d := &drawing{}
	d.put(`<svg viewBox="0 0 %g %g" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		width, height, id, id, id, html.EscapeString(p.Title), id, html.EscapeString(p.About))
	return d
}

func (d *drawing) end() template.HTML {
	d.WriteString("</svg>")
	return template.HTML(d.String())
}

// put writes markup; text among the arguments has to be escaped.
func (d *drawing) put(format string, arguments ...any) { fmt.Fprintf(d, format, arguments...) }

func (d *drawing) text(x, y float64, class, text string) {
	d.put(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, html.EscapeString(table.Printable(text)))
}

// A scale puts values along an axis.
type scale struct {
	axis     picture.Axis
	low      float64
	high     float64
	from, to float64 // in the drawing
	ticks    []float64
}

// newScale covers values, with round ticks. One that is not logarithmic begins at 0 if zero is set.
func newScale(axis picture.Axis, values []float64, from, to float64, zero bool) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, value := range values {
		if !math.IsNaN(value) && !math.IsInf(value, 0) && (!axis.Log || value > 0) {
			low, high = min(low, value), max(high, value)
		}
	}
	if low > high {
		low, high = 1, 2
	}
	s := scale{axis: axis, from: from, to: to}
	if axis.Log {
		s.low, s.high = low/1.15, high*1.15
		s.ticks = logTicks(s.low, s.high)
		return s
	}
	if zero {
		low = min(low, 0)
	}
	if high == low {
		low, high = low-math.Abs(low)/10-1e-9, high+math.Abs(high)/10+1e-9
	}
	step := roundStep((high - low) / (mostTicks - 1))
	s.low, s.high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	for tick := s.low; tick <= s.high+step/2; tick += step {
		s.ticks = append(s.ticks, tick)
	}
	return s
}

// roundStep is the next of 1, 2 and 5 times a power of ten.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, of := range []float64{1, 2, 5} {
		if of*power >= least*0.999 {
			return of * power
		}
	}
	return 10 * power
}

// logTicks are 1, 2 and 5 times powers of ten, or of these fewer.
func logTicks(low, high float64) []float64 {
	for _, of := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		var ticks []float64
		for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
			for _, each := range of {
				if tick := each * power; tick >= low && tick <= high {
					ticks = append(ticks, tick)
				}
			}
		}
		if len(ticks) <= mostTicks+1 && len(ticks) > 0 || len(of) == 1 {
			return ticks
		}
	}
	return nil
}

// at is where a value lies in the drawing.
func (s scale) at(value float64) float64 {
	low, high := s.low, s.high
	if s.axis.Log {
		low, high, value = math.Log(low), math.Log(high), math.Log(value)
	}
	if high == low {
		return s.from
	}
	return s.from + (value-low)/(high-low)*(s.to-s.from)
}

// axes draws lines for the ticks, their values and what the axes are.
func (d *drawing) axes(x, y scale) {
	for _, tick := range y.ticks {
		at := y.at(tick)
		d.put(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, width-right, at, at)
		d.text(left-6, at+4, "tick end", amount(tick, y.axis.Unit))
	}
	d.xTicks(x)
	d.axisNames(x.axis.Label, y.axis.Label)
}

// xTicks writes as many values below the axis as have room.
func (d *drawing) xTicks(x scale) {
	end := 0.0
	for _, tick := range x.ticks {
		at, label := x.at(tick), amount(tick, x.axis.Unit)
		half := float64(len([]rune(label))) * charactersOfAxisUnit / 2
		d.put(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at, at, height-bottom, height-bottom+4)
		if at-half < end || at+half > width {
			continue // it would run into its neighbour
		}
		d.text(at, height-bottom+18, "tick middle", label)
		end = at + half + 4
	}
}

func (d *drawing) axisNames(x, y string) {
	d.text(left+plotWidth/2, height-8, "axis middle", x)
	d.put(`<text class="axis middle" transform="translate(13 %.1f) rotate(-90)">%s</text>`, top+plotHeight/2, html.EscapeString(y))
}
