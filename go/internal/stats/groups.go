package stats

// A Group is samples that are near to each other and far from all others.
type Group struct {
	Samples int
	P50NS   int64
}

const (
	// leastOfGroup, and this share of all samples in percent, is what a group has at least: a handful
	// of samples of one long tail may well lie together.
	leastOfGroup, leastGroupPercent = 8, 5
	// strayPercent of the samples may lie between two groups and belong to neither, or a single one
	// would hide two groups of thousands.
	strayPercent = 1
)

// TwoGroups returns the two groups that the samples fall into; false if they do not. The gap between
// them, of several the widest, is more than half of the lower group's median, and wider than what the
// middle three fifths of either group take, so that a long tail is no second group.
func (d Distribution) TwoGroups() (lower, upper Group, ok bool) {
	n := len(d.ascendingNS)
	least := max(leastOfGroup, (n*leastGroupPercent+99)/100)
	strays := n * strayPercent / 100
	var widestNS int64
	for begin := least; begin+strays+least <= n; begin++ { // of what is not in the lower group
		below, above := d.ascendingNS[:begin], d.ascendingNS[begin+strays:]
		gapNS := above[0] - below[begin-1]
		if gapNS <= widestNS || 2*gapNS <= middleOf(below) || gapNS <= widthOf(below) || gapNS <= widthOf(above) {
			continue
		}
		widestNS, ok = gapNS, true
		lower, upper = Group{len(below), middleOf(below)}, Group{len(above), middleOf(above)}
	}
	return lower, upper, ok
}

// middleOf returns the lower median of samples in order.
func middleOf(ascendingNS []int64) int64 { return ascendingNS[(len(ascendingNS)-1)/2] }

// widthOf returns what the middle three fifths of samples in order take.
func widthOf(ascendingNS []int64) int64 {
	last := len(ascendingNS) - 1
	return ascendingNS[last*8/10] - ascendingNS[last*2/10]
}
