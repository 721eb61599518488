package report

import "strings"

// A phrase is how a row reads, in templates. {name} is the value of a cell, in the form of its unit;
// {name|form} gives it another form, which forms.go lists. {label} and {unit} are the row's, {notes}
// the words of its notes. What stands in [brackets] is left out if one of its values is not there.
type phrase struct {
	// head comes first; "" is the label with the unit, filled up to the width of the table.
	head string
	// next, where it is not "", is the head of all but the first row of a list, which then share a line.
	next string
	// body is, of several templates with || between them, the first whose values are all there; "" is
	// all cells with their names. A row without cells is n/a, and its notes say why.
	body string
	// tail ends the last row of a list.
	tail string
	// joins: the row stays on the line of the one before, and has only the head that stands here.
	joins bool
}

// A lookup returns the text of a value in one of its forms; false if there is none.
type lookup func(name, form string) (text string, ok bool)

// fill puts values into a template. It reports false if one outside of brackets is not there.
func fill(template string, value lookup) (text string, complete bool) {
	var filled strings.Builder
	complete = true
	for {
		before, rest, found := cutAny(template, "{[")
		filled.WriteString(before)
		if !found {
			return filled.String(), complete
		}
		if rest[0] == '{' {
			inner, after, _ := strings.Cut(rest[1:], "}")
			name, form, _ := strings.Cut(inner, "|")
			part, ok := value(name, form)
			filled.WriteString(part)
			complete, template = complete && ok, after
			continue
		}
		inner, after, _ := strings.Cut(rest[1:], "]")
		if part, ok := fill(inner, value); ok {
			filled.WriteString(part)
		}
		template = after
	}
}

// cutAny cuts before the first of chars.
func cutAny(text, chars string) (before, rest string, found bool) {
	at := strings.IndexAny(text, chars)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at:], true
}
