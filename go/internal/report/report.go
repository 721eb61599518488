// Package report turns the summary of a record into the text that perf and report show print.
package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/epperf/epperf/go/internal/record"
)

// Show reads the record at path and writes its text to w. It reports whether the run passed. After
// an error nothing was written, or w failed.
func Show(w io.Writer, path string) (passed bool, err error) {
	kept, err := record.Read(path)
	if err != nil {
		return false, err
	}
	summary := record.Summarize(kept)
	if _, err := w.Write(Text(summary)); err != nil {
		return false, fmt.Errorf("print %s: %w", path, err)
	}
	return summary.Passed(), nil
}

// Text returns the whole text of a summary: for each case the block that its users know, then
// ours, and at the end where the record is.
func Text(s *record.Summary) []byte {
	var text bytes.Buffer
	for i := range s.Cases {
		if i > 0 {
			text.WriteByte('\n')
		}
		if s.Cases[i].Calibration != nil {
			writeCalibration(&text, s, &s.Cases[i])
			continue
		}
		writeHeader(&text, s, &s.Cases[i])
		writeResult(&text, &s.Cases[i])
		writeOurs(&text, s, &s.Cases[i])
	}
	fmt.Fprintf(&text, "Record: %s\n", printable(s.Path))
	return text.Bytes()
}
