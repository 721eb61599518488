package record

import (
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A NetworkSummary is what moved rows between ranks that do not map each other's memory: of each
// list all that any rank says, in order of rank.
type NetworkSummary struct {
	// UCXVersions is one unless ranks run different installations.
	UCXVersions []string
	// Modules of UCX that were loaded. Without the right ones it takes slower ways and says nothing.
	Modules []string
	// Transports that UCX chose, in its own words.
	Transports []string
}

// summarizeNetwork returns nil if no rank used a network.
func summarizeNetwork(ranks []RankRecord) *NetworkSummary {
	var s *NetworkSummary
	for _, rank := range ranks {
		network := rank.Result.GetNetwork()
		if network == nil {
			continue
		}
		if s == nil {
			s = &NetworkSummary{}
		}
		s.add(network)
	}
	return s
}

func (s *NetworkSummary) add(network *epperfv1.Network) {
	for _, said := range []struct {
		known *[]string
		more  []string
	}{
		{&s.UCXVersions, []string{network.GetUcxVersion()}},
		{&s.Modules, network.GetModules()},
		{&s.Transports, network.GetTransports()},
	} {
		for _, item := range said.more {
			if item != "" && !slices.Contains(*said.known, item) {
				*said.known = append(*said.known, item)
			}
		}
	}
}
