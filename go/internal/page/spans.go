package page

import (
	"html/template"

	"github.com/epperf/epperf/go/internal/picture"
)

// drawSpans draws a lane for each name, the first at the top.
func drawSpans(id string, p *picture.Picture) template.HTML {
	s := p.Spans
	var ends []float64
	for _, span := range s.All {
		ends = append(ends, span.From, span.To)
	}
	from := left
	for _, name := range s.Y.Names { // which are longer than numbers
		from = max(from, 8+charactersOfAxisUnit*float64(len([]rune(name))))
	}
	x := newScale(s.X, ends, from, width-right, true)
	d := begin(id, p)
	lane := plotHeight / float64(len(s.Y.Names))
	for i, name := range s.Y.Names {
		at := top + float64(i)*lane
		d.put(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, from, width-right, at+lane, at+lane)
		d.text(from-6, at+lane/2+4, "tick end", name)
	}
	for _, span := range s.All {
		begin, end := x.at(span.From), x.at(span.To)
		d.put(`<rect class="bar" x="%.2f" y="%.1f" width="%.2f" height="%.1f"/>`,
			begin, top+(float64(span.Lane)+0.15)*lane, max(end-begin, 1), lane*0.7)
	}
	d.xTicks(x)
	d.text(from+(width-right-from)/2, height-8, "axis middle", s.X.Label)
	return d.end()
}
