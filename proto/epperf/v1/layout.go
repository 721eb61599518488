package epperfv1

// LayoutOf returns where a case's received rows lie.
func LayoutOf(c *Case) Layout {
	if c.GetLayout() == Layout_LAYOUT_UNSPECIFIED {
		return Layout_LAYOUT_EXPERT
	}
	return c.GetLayout()
}

// CombineSumOf returns where a case's selections are summed.
func CombineSumOf(c *Case) CombineSum {
	if c.GetCombine() == CombineSum_COMBINE_SUM_UNSPECIFIED {
		return CombineSum_COMBINE_SUM_RANK
	}
	return c.GetCombine()
}

// QuantizeOf returns where a case's rows become FP8.
func QuantizeOf(c *Case) Quantize {
	if c.GetQuantize() == Quantize_QUANTIZE_UNSPECIFIED {
		return Quantize_QUANTIZE_INSIDE
	}
	return c.GetQuantize()
}

// FansOut reports whether a layout has a row for each selection; else each row is kept once.
func FansOut(layout Layout) bool {
	return layout == Layout_LAYOUT_EXPERT || layout == Layout_LAYOUT_CONTIG
}
