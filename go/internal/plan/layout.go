package plan

import (
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file says which layouts and ways to combine go together.

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
		try := argument("layout", usual[epperfv1.Layout]()) + " or " + argument("combine", usual[epperfv1.CombineSum]())
		return &UsageError{"combine", epperfv1.Name(combine), problem, try}
	}
	return nil
}
