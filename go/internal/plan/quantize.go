package plan

import (
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file says of what rows become FP8 before the dispatch.

// validateQuantize returns a *UsageError for rows that nobody quantises.
func validateQuantize(c *epperfv1.Case) error {
	quantize := epperfv1.QuantizeOf(c)
	if err := known("quantize", quantize); err != nil {
		return err
	}
	if quantize == epperfv1.Quantize_QUANTIZE_OUTSIDE && c.GetDtype() != epperfv1.Dtype_DTYPE_FP8 {
		try := argument("dtype", epperfv1.Name(epperfv1.Dtype_DTYPE_FP8)) + " or " + argument("quantize", usual[epperfv1.Quantize]())
		return &UsageError{"quantize", epperfv1.Name(quantize), "rows that travel as " + epperfv1.Name(c.GetDtype()) + " are not quantised", try}
	}
	return nil
}
