package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"

	"github.com/epperf/epperf/go/internal/picture"
	"github.com/epperf/epperf/go/internal/table"
)

// ramp is from little to much: it grows lighter throughout, so that it can be read without colours, and
// stands out on light and on dark.
var ramp = []color.NRGBA{
	{0x35, 0x1f, 0x5c, 0xff},
	{0x3b, 0x3f, 0x8f, 0xff},
	{0x2c, 0x6b, 0x9e, 0xff},
	{0x1f, 0x92, 0x93, 0xff},
	{0x3f, 0xb5, 0x76, 0xff},
	{0x9b, 0xd0, 0x4a, 0xff},
	{0xf7, 0xe4, 0x4a, 0xff},
}

// rampColour is of a part of one.
func rampColour(part float64) color.NRGBA {
	part = min(1, max(0, part)) * float64(len(ramp)-1)
	low := min(int(part), len(ramp)-2)
	mix := func(a, b uint8) uint8 {
		return uint8(math.Round(float64(a) + (part-float64(low))*(float64(b)-float64(a))))
	}
	a, b := ramp[low], ramp[low+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

func css(c color.NRGBA) template.CSS {
	return template.CSS(fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
}

// bounds returns what is darkest and lightest. Of durations the rarest 5 % are as light as can be: a
// single long one would make all others look alike.
func bounds(m *picture.Matrix) (low, high float64) {
	var all []float64
	for _, row := range m.Values {
		for _, value := range row {
			if !math.IsNaN(value) {
				all = append(all, value)
			}
		}
	}
	if len(all) == 0 {
		return 0, 1
	}
	slices.Sort(all)
	low, high = all[0], all[len(all)-1]
	if m.Value.Unit == table.Nanoseconds {
		high = all[(len(all)-1)*95/100]
	}
	if m.Words != nil {
		low, high = 0, float64(len(m.Words)-1)
	}
	if high <= low {
		high = low + 1
	}
	return low, high
}

func drawMatrix(id string, p *picture.Picture) (template.HTML, []legend) {
	m := p.Matrix
	low, high := bounds(m)
	rows, columns := len(m.Values), len(m.Values[0])
	picture := image.NewNRGBA(image.Rect(0, 0, columns, rows))
	for y, row := range m.Values {
		for x, value := range row {
			if !math.IsNaN(value) {
				picture.SetNRGBA(x, y, rampColour((value-low)/(high-low)))
			}
		}
	}
	var encoded bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&encoded, picture); err != nil {
		panic(err) // to memory, of an image that is not empty
	}
	d := begin(id, p)
	d.put(`<rect class="frame" x="%g" y="%g" width="%g" height="%g"/>`, left, top, plotWidth, plotHeight)
	d.put(`<image class="cells" x="%g" y="%g" width="%g" height="%g" preserveAspectRatio="none" href="data:image/png;base64,%s"/>`,
		left, top, plotWidth, plotHeight, base64.StdEncoding.EncodeToString(encoded.Bytes()))
	for _, label := range labels(m.Rows, rows, m.EachRow) {
		d.text(left-6, top+(float64(label.cell)+0.5)*plotHeight/float64(rows)+4, "tick end", label.text)
	}
	for _, label := range labels(m.Columns, columns, m.EachColumn) {
		d.text(left+(float64(label.cell)+0.5)*plotWidth/float64(columns), height-bottom+18, "tick middle", label.text)
	}
	d.axisNames(m.Columns.Label, m.Rows.Label)
	return d.end(), matrixLegend(m, low, high)
}

// A cellLabel names a row or a column by the first thing that it stands for.
type cellLabel struct {
	cell int
	text string
}

// labels are few enough to be read.
func labels(of picture.Axis, cells, each int) []cellLabel {
	if of.Names != nil {
		return named(of.Names)
	}
	step := max(1, int(roundStep(float64(cells*each)/8)))
	var all []cellLabel
	for thing := 0; thing < cells*each; thing += step {
		all = append(all, cellLabel{thing / each, digits(float64(thing))})
	}
	return all
}

// named are the names of some devices: of so many that there is room.
func named(names []string) []cellLabel {
	var all []cellLabel
	for i := 0; i < len(names); i += max(1, (len(names)+7)/8) {
		all = append(all, cellLabel{i, names[i]})
	}
	return all
}

func matrixLegend(m *picture.Matrix, low, high float64) []legend {
	var all []legend
	if m.Words != nil {
		used := map[int]bool{}
		for _, row := range m.Values {
			for _, value := range row {
				if !math.IsNaN(value) {
					used[int(value)] = true
				}
			}
		}
		for value, word := range m.Words {
			if used[value] {
				all = append(all, legend{Class: "swatch", Name: word, Swatch: css(rampColour((float64(value) - low) / (high - low)))})
			}
		}
		return all
	}
	for i := range 5 {
		part := float64(i) / 4
		name := amount(low+part*(high-low), m.Value.Unit)
		if i == 4 && m.Value.Unit == table.Nanoseconds {
			name += " and more"
		}
		all = append(all, legend{Class: "swatch", Name: name, Swatch: css(rampColour(part))})
	}
	return all
}
