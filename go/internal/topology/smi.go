package topology

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This file reads what `nvidia-smi topo -m` prints and compares it with what was found here.

var (
	colour     = regexp.MustCompile("\x1b\\[[0-9;]*m")
	deviceName = regexp.MustCompile(`^(GPU|NIC)\d+$|^[a-z][a-z0-9]*_\w+$`)
	nicLegend  = regexp.MustCompile(`^\s*(NIC\d+): (\S+)`)
)

// ParseMatrix reads the output of `nvidia-smi topo -m`, or our own table. Drivers before the 470s
// head columns with the NICs' names, later ones with NIC0, NIC1, … and a legend.
func ParseMatrix(text string) (Matrix, error) {
	var m Matrix
	names := map[string]string{}
	for line := range strings.Lines(colour.ReplaceAllString(text, "")) {
		if found := nicLegend.FindStringSubmatch(line); found != nil {
			names[found[1]] = found[2]
			continue
		}
		words := strings.Fields(line)
		if len(m.Names) == 0 {
			m.Names = devicesIn(words)
			continue
		}
		if len(m.Cells) == len(m.Names) || len(words) == 0 {
			continue
		}
		if words[0] != m.Names[len(m.Cells)] || len(words) <= len(m.Names) {
			return m, fmt.Errorf("row %q: want %s and %d classes after it", strings.TrimSpace(line), m.Names[len(m.Cells)], len(m.Names))
		}
		m.Cells = append(m.Cells, words[1:1+len(m.Names)])
	}
	if len(m.Names) == 0 {
		return m, errors.New("no line names columns such as GPU0 or NIC0: not what nvidia-smi topo -m prints")
	}
	if len(m.Cells) < len(m.Names) {
		return m, fmt.Errorf("%d rows for %d columns: its end is missing", len(m.Cells), len(m.Names))
	}
	for i, name := range m.Names {
		if known, found := names[name]; found {
			m.Names[i] = known
		}
	}
	return m, nil
}

// devicesIn returns the devices that a line begins with; the words after them head other columns.
func devicesIn(words []string) []string {
	end := slices.IndexFunc(words, func(word string) bool { return !deviceName.MatchString(word) })
	if end < 0 {
		end = len(words)
	}
	return words[:end]
}

// Differences says where another matrix is not as this one, a line for each device that only one of
// them has and for each pair that they class differently.
func (m Matrix) Differences(other Matrix) []string {
	var differences []string
	for _, name := range m.Names {
		if !slices.Contains(other.Names, name) {
			differences = append(differences, name+": it is here, and not there")
		}
	}
	for _, name := range other.Names {
		if !slices.Contains(m.Names, name) {
			differences = append(differences, name+": it is there, and not here")
		}
	}
	for i, row := range m.Names {
		for j, column := range m.Names[:i] {
			there, known := other.class(row, column)
			if here := m.Cells[i][j]; known && here != there {
				differences = append(differences, fmt.Sprintf("%s and %s: %s here, %s there", column, row, here, there))
			}
		}
	}
	return differences
}

// class returns the class of a pair, and whether the matrix has both.
func (m Matrix) class(row, column string) (string, bool) {
	i, j := slices.Index(m.Names, row), slices.Index(m.Names, column)
	if i < 0 || j < 0 {
		return "", false
	}
	return m.Cells[i][j], true
}
