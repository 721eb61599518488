package record

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// NewWriterTo lets a test stand in for the file.
func NewWriterTo(f file, path string, header *epperfv1.Header) (*Writer, error) {
	w := &Writer{file: f, path: path}
	return w, w.writeHeader(header)
}

const MaxDurations = maxDurations
