package page

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/picture"
	"github.com/epperf/epperf/go/internal/table"
)

// A legend says what a colour, a dash or a mark is.
type legend struct {
	Class, Name string
	// Swatch is a colour of its own, as CSS; "" where the class has one.
	Swatch template.CSS
	// Key is a piece of the line itself, in place of the class.
	Key template.HTML
}

// colours and dashes are how many there are in the style: so many times so many series can be told apart.
const (
	colours = 6
	dashes  = 4
)

// mark draws one of as many shapes as there are dashes.
func mark(class string, shape int, x, y float64) string {
	switch shape {
	case 1:
		return fmt.Sprintf(`<rect class="mark %s" x="%.1f" y="%.1f" width="6.4" height="6.4"/>`, class, x-3.2, y-3.2)
	case 2:
		return fmt.Sprintf(`<path class="mark %s" d="M%.1f %.1fl4.4 7.2h-8.8z"/>`, class, x, y-4.2)
	case 3:
		return fmt.Sprintf(`<path class="mark %s" d="M%.1f %.1fl4.6 4.6l-4.6 4.6l-4.6 -4.6z"/>`, class, x, y-4.6)
	default:
		return fmt.Sprintf(`<circle class="mark %s" cx="%.1f" cy="%.1f" r="3.5"/>`, class, x, y)
	}
}

var kindClass = map[picture.SeriesKind]string{
	picture.Measured: "measured", picture.Tail: "tail", picture.Bound: "bound", picture.Steps: "measured",
}

func drawLines(id string, p *picture.Picture) (template.HTML, []legend) {
	var xs, ys []float64
	for _, s := range p.Lines.Series {
		xs, ys = append(xs, s.X...), append(ys, s.Y...)
	}
	x := newScale(p.Lines.X, xs, left, width-right, false)
	if distinct := slices.Compact(slices.Sorted(slices.Values(xs))); p.Lines.X.Log && len(distinct) <= 2*mostTicks {
		x.ticks = distinct // a ladder: its own steps say more than round numbers
	}
	y := newScale(p.Lines.Y, ys, height-bottom, top, true)
	d := begin(id, p)
	d.axes(x, y)
	var legends []legend
	for _, s := range p.Lines.Series {
		shape := s.Group / colours % dashes
		class := fmt.Sprintf("%s c%d d%d", kindClass[s.Kind], s.Group%colours, shape)
		marked := s.Kind != picture.Steps && s.Kind != picture.Bound
		d.put(`<path class="line %s" d="%s"/>`, class, path(s, x, y))
		key := fmt.Sprintf(`<path class="line %s" d="M1 6H43"/>`, class)
		if marked {
			for i := range s.X {
				d.WriteString(mark(class, shape, x.at(s.X[i]), y.at(s.Y[i])))
			}
			key += mark(class, shape, 22, 6)
		}
		if len(p.Lines.Series) > 1 {
			legends = append(legends, legend{Name: table.Printable(s.Name), Key: template.HTML(`<svg class="key" viewBox="0 0 44 12" aria-hidden="true">` + key + `</svg>`)})
		}
	}
	return d.end(), legends
}

func path(s picture.Series, x, y scale) string {
	var points []string
	for i := range s.X {
		px, py := x.at(s.X[i]), y.at(s.Y[i])
		switch {
		case i == 0 && s.Kind == picture.Steps:
			points = append(points, fmt.Sprintf("M%.1f %.1fV%.1f", px, y.at(0), py))
		case i == 0:
			points = append(points, fmt.Sprintf("M%.1f %.1f", px, py))
		case s.Kind == picture.Steps:
			points = append(points, fmt.Sprintf("H%.1fV%.1f", px, py))
		default:
			points = append(points, fmt.Sprintf("L%.1f %.1f", px, py))
		}
	}
	return strings.Join(points, "")
}

func drawBars(id string, p *picture.Picture) template.HTML {
	b := p.Bars
	x := newScale(b.X, []float64{0, float64(len(b.Values) * b.Each)}, left, width-right, false)
	x.low, x.high = 0, float64(len(b.Values)*b.Each)
	x.ticks = slices.DeleteFunc(x.ticks, func(tick float64) bool { return tick > x.high })
	y := newScale(b.Y, append(slices.Clone(b.Values), b.Mean), height-bottom, top, true)
	d := begin(id, p)
	d.axes(x, y)
	for i, value := range b.Values {
		from, to := x.at(float64(i*b.Each)), x.at(float64((i+1)*b.Each))
		gap := min(1, (to-from)/5)
		d.put(`<rect class="bar" x="%.2f" y="%.1f" width="%.2f" height="%.1f"/>`, from, y.at(value), to-from-gap, y.at(0)-y.at(value))
	}
	d.put(`<line class="line bound c1" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, width-right, y.at(b.Mean), y.at(b.Mean))
	return d.end()
}
