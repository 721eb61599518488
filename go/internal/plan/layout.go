package plan

import (
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file decides where received rows lie, and where what experts made of them is summed.

const (
	defaultLayout  = epperfv1.Layout_LAYOUT_EXPERT
	defaultCombine = epperfv1.CombineSum_COMBINE_SUM_RANK
)

// layout reads --layout and --combine. A default is left out of the plan: whoever asks for nothing
// has asked for the same before there was a choice.
func (o Options) layout() (epperfv1.Layout, epperfv1.CombineSum, error) {
	defaults := Defaults()
	layout, err := parse[epperfv1.Layout]("layout", o.Layout, defaults.Layout)
	if err != nil {
		return 0, 0, err
	}
	combine, err := parse[epperfv1.CombineSum]("combine", o.Combine, defaults.Combine)
	if err != nil {
		return 0, 0, err
	}
	if layout == defaultLayout {
		layout = epperfv1.Layout_LAYOUT_UNSPECIFIED
	}
	if combine == defaultCombine {
		combine = epperfv1.CombineSum_COMBINE_SUM_UNSPECIFIED
	}
	return layout, combine, nil
}

// validateLayout returns a *UsageError for rows that could not lie or not come back so.
func validateLayout(c *epperfv1.Case) error {
	layout, combine := epperfv1.LayoutOf(c), epperfv1.CombineSumOf(c)
	if err := known("layout", layout); err != nil {
		return err
	}
	if err := known("combine", combine); err != nil {
		return err
	}
	if combine == epperfv1.CombineSum_COMBINE_SUM_EXPERT && !epperfv1.FansOut(layout) {
		problem := fmt.Sprintf("layout %s has no row of each expert that could come back", epperfv1.Name(layout))
		try := argument("layout", epperfv1.Name(defaultLayout)) + " or " + argument("combine", epperfv1.Name(defaultCombine))
		return &UsageError{"combine", epperfv1.Name(combine), problem, try}
	}
	return nil
}
