package conduct

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/dump"
	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// prepareDump makes sure, before anything starts, that there is a place for it.
func (r Run) prepareDump() error {
	if r.Dump == "" {
		return nil
	}
	if layout := epperfv1.LayoutOf(r.Plan.GetCases()[0]); !epperfv1.FansOut(layout) {
		return command.Usagef("--dump: a dump has the rows of each expert, and layout %s keeps each row once; try --layout=expert",
			epperfv1.Name(layout))
	}
	err := dump.Prepare(r.Dump)
	if err != nil {
		err = fmt.Errorf("--dump: %w", err)
	}
	if errors.Is(err, dump.ErrNotEmpty) {
		return command.Usagef("%w", err)
	}
	return err
}

// describeDump completes the dump of a run whose ranks have all written theirs.
func (r Run) describeDump() error {
	if r.Dump == "" {
		return nil
	}
	return dump.Describe(r.Dump, r.Plan)
}

// dumper returns what a rank leaves its tensors with; nil if nobody asked.
func dumper(folder string, rank int) func(*epperfv1.Case, measure.Engine) error {
	if folder == "" {
		return nil
	}
	return func(c *epperfv1.Case, engine measure.Engine) error {
		contents, ok := engine.(measure.Contents)
		if !ok {
			return fmt.Errorf("%T keeps nothing that could be written to %s", engine, filepath.Base(folder))
		}
		return dump.Write(folder, c, rank, contents)
	}
}
