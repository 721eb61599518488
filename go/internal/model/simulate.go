package model

import (
	"cmp"
	"slices"
)

// A Machine is nodes of ranks. Each rank has a link out and one in for mapped memory, and likewise for a network;
// whatever lies between is never what limits.
type Machine struct {
	Nodes, RanksPerNode int
	// Rates in bytes per nanosecond, and how long a first byte takes.
	MappedRate, NetworkRate float64
	MappedNS, NetworkNS     float64
}

// Ranks of the whole machine.
func (m *Machine) Ranks() int { return m.Nodes * m.RanksPerNode }

// A Flow is rows from one rank to another.
type Flow struct {
	From, To int32
	Rows     uint32
}

// A LinkKind is which of a rank's links one is.
type LinkKind string

// The kinds.
const (
	MappedOut  LinkKind = "mapped, out"
	MappedIn   LinkKind = "mapped, in"
	NetworkOut LinkKind = "network, out"
	NetworkIn  LinkKind = "network, in"
)

// A Link is one of a rank's, and what it had to do.
type Link struct {
	Kind  LinkKind
	Rank  int
	Bytes float64
	// BusyNS is how long it carries something, and FinishedNS when it is done.
	BusyNS, FinishedNS float64
}

// A Simulated is what an operation came to.
type Simulated struct {
	// NS is until the last row is where it belongs, and MeanNS the mean over ranks.
	NS, MeanNS float64
	// Links are all that carry anything, the one with most to do first.
	Links []Link
}

// Mean is the mean of what links of a kind carry, those that carry nothing included.
func (s *Simulated) Mean(kind LinkKind, ranks int) float64 {
	var sum float64
	for _, link := range s.Links {
		if link.Kind == kind {
			sum += link.Bytes
		}
	}
	return sum / float64(ranks)
}

// arrival is a message before a link in.
type arrival struct{ atNS, bytes float64 }

// Simulate lets each rank send its flows one behind the other, first to the rank after it, as all ranks do at once;
// mapped memory and the network side by side. A link in takes messages in the order in which they come, one at a
// time. A message is passed on while it arrives. Rows to the own rank use no link.
func Simulate(m Machine, flows []Flow, rowBytes float64) Simulated {
	ranks := m.Ranks()
	bySender := make([][]Flow, ranks)
	for _, flow := range flows {
		if flow.From != flow.To {
			bySender[flow.From] = append(bySender[flow.From], flow)
		}
	}
	finished := make([]float64, ranks)
	var result Simulated
	keep := func(link Link) {
		if link.Bytes > 0 {
			result.Links = append(result.Links, link)
			finished[link.Rank] = max(finished[link.Rank], link.FinishedNS)
		}
	}
	for _, way := range []struct {
		out, in  LinkKind
		network  bool
		rate, ns float64
	}{{MappedOut, MappedIn, false, m.MappedRate, m.MappedNS}, {NetworkOut, NetworkIn, true, m.NetworkRate, m.NetworkNS}} {
		arrivals := make([][]arrival, ranks)
		for from, flows := range bySender {
			slices.SortFunc(flows, func(a, b Flow) int { return cmp.Compare(after(from, int(a.To), ranks), after(from, int(b.To), ranks)) })
			link := Link{Kind: way.out, Rank: from}
			for _, flow := range flows {
				if (from/m.RanksPerNode != int(flow.To)/m.RanksPerNode) != way.network {
					continue
				}
				bytes := float64(flow.Rows) * rowBytes
				arrivals[flow.To] = append(arrivals[flow.To], arrival{link.BusyNS + way.ns, bytes})
				link.Bytes += bytes
				link.BusyNS += bytes / way.rate
			}
			link.FinishedNS = link.BusyNS
			keep(link)
		}
		for to, messages := range arrivals {
			slices.SortFunc(messages, func(a, b arrival) int { return cmp.Compare(a.atNS, b.atNS) })
			link := Link{Kind: way.in, Rank: to}
			for _, message := range messages {
				takes := message.bytes / way.rate
				link.FinishedNS = max(link.FinishedNS, message.atNS) + takes
				link.BusyNS += takes
				link.Bytes += message.bytes
			}
			keep(link)
		}
	}
	for _, ns := range finished {
		result.NS = max(result.NS, ns)
		result.MeanNS += ns / float64(ranks)
	}
	slices.SortStableFunc(result.Links, func(a, b Link) int { return cmp.Compare(b.BusyNS, a.BusyNS) })
	return result
}

// after is how many ranks behind one another comes.
func after(from, to, ranks int) int { return (to - from + ranks) % ranks }
