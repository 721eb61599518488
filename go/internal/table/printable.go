package table

import (
	"strings"
	"unicode"
)

// Printable keeps text from a file on its one line, and away from a terminal's controls.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
