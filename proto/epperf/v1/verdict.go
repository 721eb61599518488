package epperfv1

import "fmt"

// CheckProblem says why the rank's case does not count as checked; "" if it does. Nothing compared is
// as good as wrong where there was something to compare.
func (r *RankResult) CheckProblem(c *Case) string {
	switch check := r.GetCheck(); {
	case c.GetPhase() != nil && r.GetWork().GetKilled():
		return ""
	case check == nil:
		return "no row was checked"
	case check.GetWrong() > 0:
		return fmt.Sprintf("%d of %d checked rows are wrong", check.GetWrong(), check.GetRows())
	case check.GetRows() == 0 && (!c.Operates() || r.GetTraffic().moves()):
		return "no row was checked although this rank moves some"
	default:
		return ""
	}
}

// moves reports whether a rank sends or receives any row.
func (t *Traffic) moves() bool {
	received := uint64(0)
	for _, selections := range t.GetSelectionsOfExpert() {
		received |= selections
	}
	return t.GetSelections() > 0 || received > 0
}
