package figures

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// This file has every formula that makes bytes of rows. T is tokens, H channels, S the ids that
// are not -1. The per-selection formulas are those of the system that epperf started from, so that
// its figures can be compared with ours.

const (
	channelsPerScale = 128
	scaleBytes       = 4 // one fp32 for channelsPerScale channels, or for the fewer that are left
	bf16Bytes        = 2
	fp8Bytes         = 1
	// rowHeaderBytes goes with each dispatched row and names the token that it is.
	rowHeaderBytes = 16
)

// DispatchRowBytes returns the bytes of one dispatched row: H + ⌈H/128⌉*4 + 16 as FP8, 2H + 16 as
// BF16.
func DispatchRowBytes(c *epperfv1.Case) uint64 {
	hidden := uint64(c.GetHidden())
	if c.GetDtype() == epperfv1.Dtype_DTYPE_BF16 {
		return hidden*bf16Bytes + rowHeaderBytes
	}
	scales := (hidden + channelsPerScale - 1) / channelsPerScale
	return hidden*fp8Bytes + scales*scaleBytes + rowHeaderBytes
}

// tokenBytes returns the bytes of a token as a dispatch reads it: BF16, or codes and scales.
func tokenBytes(c *epperfv1.Case) uint64 {
	if epperfv1.QuantizeOf(c) == epperfv1.Quantize_QUANTIZE_OUTSIDE {
		return DispatchRowBytes(c) - rowHeaderBytes
	}
	return uint64(c.GetHidden()) * bf16Bytes
}

// CombineRowBytes returns the bytes of one combined row: 2H, for rows come back as BF16 whatever
// they went as.
func CombineRowBytes(c *epperfv1.Case) uint64 {
	return uint64(c.GetHidden()) * bf16Bytes
}

// rowsAreKnown reports whether this version knows what the case's rows hold, and where they go.
func rowsAreKnown(c *epperfv1.Case) bool {
	return epperfv1.Known(c.GetMode()) && epperfv1.Known(c.GetDtype())
}

// RowBytes returns the bytes that one row adds to one iteration of the case's mode: a dispatched
// row, a combined row, or for e2e both.
func RowBytes(c *epperfv1.Case) uint64 {
	switch c.GetMode() {
	case epperfv1.Mode_MODE_DISPATCH:
		return DispatchRowBytes(c)
	case epperfv1.Mode_MODE_COMBINE:
		return CombineRowBytes(c)
	default:
		return DispatchRowBytes(c) + CombineRowBytes(c)
	}
}

// Bytes is what one iteration moves from one rank, counted in three ways. Figures of different
// ways must not be compared.
type Bytes struct {
	// Selections counts one row for each (token, expert): S * RowBytes. Bandwidth is made of it.
	Selections uint64
	// Ranks counts one row for each (token, destination rank), the own rank included.
	Ranks uint64
	// Remote counts, of Ranks, what goes to other ranks.
	Remote uint64
}

// BytesOf returns the bytes that one iteration of c moves from a rank with this traffic.
func BytesOf(c *epperfv1.Case, traffic *epperfv1.Traffic) Bytes {
	row := RowBytes(c)
	return Bytes{
		Selections: traffic.GetSelections() * row,
		Ranks:      traffic.GetRankRows() * row,
		Remote:     traffic.GetRemoteRows() * row,
	}
}

// CalibrationRowBytes returns the bytes of one row that a calibration copies: 2H. A copied byte is
// read once and written once, and counts once.
func CalibrationRowBytes(c *epperfv1.Case) uint64 {
	return uint64(c.GetHidden()) * bf16Bytes
}

// MeanRows are those of one iteration, mean over all ranks.
type MeanRows struct {
	Selections, Rank, Remote, Tokens float64
}

// laidOut are the rows that a dispatch leaves a rank with.
func (r MeanRows) laidOut(c *epperfv1.Case) float64 {
	if epperfv1.FansOut(epperfv1.LayoutOf(c)) {
		return r.Selections
	}
	return r.Rank
}

// LeastCopiedBytes returns the bytes that a CPU cannot but copy in one iteration of c, mean over
// all ranks. Every rank row is copied to its rank, and from there to each of its experts; back, an
// expert's output is read once a selection, a partial sum written and read once a rank row, a sum
// written once a token, which is half a copy each. So with S selections, Q rank rows and T tokens:
// dispatch (Q + S) rows, combine (S + 2Q + T) / 2 rows. In a layout that keeps rows once, Q stands
// for S; where nothing is summed on the experts' rank, S for Q on the way back. Padding is left out.
func LeastCopiedBytes(c *epperfv1.Case, rows MeanRows) float64 {
	dispatch := (rows.Rank + rows.laidOut(c)) * float64(DispatchRowBytes(c))
	back := rows.Rank
	if epperfv1.CombineSumOf(c) == epperfv1.CombineSum_COMBINE_SUM_EXPERT {
		back = rows.Selections
	}
	combine := (rows.laidOut(c) + 2*back + rows.Tokens) / 2 * float64(CombineRowBytes(c))
	switch c.GetMode() {
	case epperfv1.Mode_MODE_DISPATCH:
		return dispatch
	case epperfv1.Mode_MODE_COMBINE:
		return combine
	default:
		return dispatch + combine
	}
}

// GPUBytes are what a GPU cannot but move in one operation, mean over all ranks.
type GPUBytes struct {
	// Copied in its own memory: a byte read and a byte written there are one, wherever they go or come
	// from.
	Copied float64
	// Crossing the link to or from other GPUs, in the direction that has more.
	Crossing float64
}

// LeastGPUBytes returns what a dispatch or a combine takes on GPUs. As LeastCopiedBytes, but a token is
// read once for all its ranks, a row once for all its experts, and only remote rows lie anywhere between:
// with T tokens, R remote rows and S selections, dispatch T tokens, 2R and S rows, combine S, 2R and T
// rows, half a copy each. A token is 2H bytes, or where it is
// quantised before a code a channel and its scales. Remote rows cross the link.
// It reports false for rows that come back one a selection: of these nobody counts the remote ones.
func LeastGPUBytes(c *epperfv1.Case, op epperfv1.Mode, rows MeanRows) (least GPUBytes, ok bool) {
	if op == epperfv1.Mode_MODE_DISPATCH {
		row := float64(DispatchRowBytes(c))
		token := float64(tokenBytes(c))
		return GPUBytes{(rows.Tokens*token + (2*rows.Remote+rows.laidOut(c))*row) / 2, rows.Remote * row}, true
	}
	ok = epperfv1.CombineSumOf(c) != epperfv1.CombineSum_COMBINE_SUM_EXPERT
	row := float64(CombineRowBytes(c))
	return GPUBytes{(rows.laidOut(c) + 2*rows.Remote + rows.Tokens) / 2 * row, rows.Remote * row}, ok
}
