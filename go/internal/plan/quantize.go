package plan

import (
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file decides where rows become FP8: in the dispatch, or before it.

const defaultQuantize = epperfv1.Quantize_QUANTIZE_INSIDE

// quantize reads --quantize. The default is left out of the plan, as those of layouts.
func (o Options) quantize() (epperfv1.Quantize, error) {
	quantize, err := parse[epperfv1.Quantize]("quantize", o.Quantize, Defaults().Quantize)
	if err != nil || quantize == defaultQuantize {
		return epperfv1.Quantize_QUANTIZE_UNSPECIFIED, err
	}
	return quantize, nil
}

// validateQuantize returns a *UsageError for rows that nobody quantises.
func validateQuantize(c *epperfv1.Case) error {
	quantize := epperfv1.QuantizeOf(c)
	if err := known("quantize", quantize); err != nil {
		return err
	}
	if quantize != defaultQuantize && c.GetDtype() != epperfv1.Dtype_DTYPE_FP8 {
		try := argument("dtype", epperfv1.Name(epperfv1.Dtype_DTYPE_FP8)) + " or " + argument("quantize", epperfv1.Name(defaultQuantize))
		return &UsageError{"quantize", epperfv1.Name(quantize), "rows that travel as " + epperfv1.Name(c.GetDtype()) + " are not quantised", try}
	}
	return nil
}
