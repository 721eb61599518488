package report

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/epperf/epperf/go/internal/table"
)

// Cells that say how others read.
const (
	kind     = "kind"
	encoding = "encoding"
)

// text walks tables and says each row in the words of its phrase.
func text(tables []table.Table) []byte {
	var all strings.Builder
	for i, t := range tables {
		look := styles[t.Name]
		if look.apart && i > 0 {
			all.WriteByte('\n')
		}
		title := func(string, string) (string, bool) { return t.Title, true }
		above, _ := fill(look.above, title)
		all.WriteString(above)
		if look.grid {
			look.writeGrid(&all, t.Rows)
		} else {
			look.write(&all, t.Rows)
		}
		all.WriteString(look.below)
	}
	return []byte(all.String())
}

func (s *style) write(all *strings.Builder, rows []table.Row) {
	for i := range rows {
		words := s.phrase(&rows[i])
		first := i == 0 || rows[i-1].Name != rows[i].Name
		last := i == len(rows)-1 || rows[i+1].Name != rows[i].Name
		r := rowText{&rows[i], s}
		switch {
		case !first && words.next != "":
			all.WriteString(words.next)
		case words.joins:
			all.WriteString(r.fill(words.head))
		default:
			if i > 0 {
				all.WriteByte('\n')
			}
			all.WriteString(r.head(words.head))
		}
		all.WriteString(r.body(words.body))
		if last {
			all.WriteString(words.tail)
		}
	}
	if len(rows) > 0 {
		all.WriteByte('\n')
	}
}

// phrase returns that of the row's kind before that of its name.
func (s *style) phrase(row *table.Row) phrase {
	if cell, ok := row.Cell(kind); ok {
		if words, ok := s.rows[fmt.Sprint(row.Name, " ", cell.Value())]; ok {
			return words
		}
	}
	return s.rows[row.Name]
}

// A rowText is a row in the words of a style.
type rowText struct {
	row *table.Row
	*style
}

func (r rowText) fill(template string) string {
	filled, _ := fill(template, r.value)
	return filled
}

func (r rowText) head(template string) string {
	if template != "" {
		return r.fill(template)
	}
	label := r.row.Label
	if unit := unitNames[r.row.Unit]; unit != "" {
		label += " (" + unit + ")"
	}
	label += ":"
	return label + strings.Repeat(" ", max(0, r.width-utf8.RuneCountInString(label))+1)
}

func (r rowText) body(templates string) string {
	if len(r.row.Cells) == 0 {
		return r.missing()
	}
	for template := range strings.SplitSeq(templates, "||") {
		if filled, complete := fill(template, r.value); complete && template != "" {
			return filled
		}
	}
	var cells []string
	for _, cell := range r.row.Cells {
		value := r.plain(cell)
		if cell.Name != "" {
			value = cell.Name + "=" + value
		}
		cells = append(cells, value)
	}
	return strings.Join(cells, " ")
}

// missing stands where a value does not.
func (r rowText) missing() string {
	if why, ok := r.notes(); ok {
		return "n/a (" + why + ")"
	}
	return "n/a"
}

// notes returns the words of all notes; false if there are none.
func (r rowText) notes() (string, bool) {
	var all []string
	for _, note := range r.row.Notes {
		words := rowText{&table.Row{Cells: note.Cells}, r.style}
		all = append(all, words.fill(cmp.Or(notes[note.Name], note.Name)))
	}
	return strings.Join(all, ", "), len(all) > 0
}

// value returns what a template names: the row's own words, or one of its cells.
func (r rowText) value(name, form string) (string, bool) {
	switch name {
	case "label":
		return formed(r.row.Label, form), true
	case "unit":
		return unitNames[r.row.Unit], true
	case "notes":
		return r.notes()
	}
	cell, ok := r.row.Cell(name)
	if list, is := cell.Value().([]string); !ok || is && len(list) == 0 {
		instead, known := strings.CutPrefix(form, "or ")
		return instead, known
	}
	plain := r.plain(cell)
	if other, is := strings.CutPrefix(form, "unless "); is {
		if cell, ok := r.row.Cell(other); ok {
			other = r.plain(cell)
		}
		return plain, plain != other
	}
	if form == "bits" {
		meaning, _ := r.row.Cell(encoding)
		value, _ := cell.Value().(uint64)
		return bits(value, fmt.Sprint(meaning.Value())), true
	}
	if number, ok := wordNumber(cell, form); ok {
		return number, true
	}
	return formed(plain, form), true
}
