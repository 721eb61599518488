package figures

import (
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A NetworkSummary is what moves rows between ranks that do not map each other's memory: of each
// list all that any rank says, in order of rank.
type NetworkSummary struct {
	// UCXVersions is one unless ranks run different installations.
	UCXVersions []string
	// Modules of UCX that were loaded. Without the right ones it takes slower ways and says nothing.
	Modules []string
	// Transports that UCX chose, in its own words.
	Transports []string
	// Slower are the ranks whose UCX found no module to copy between processes of a host at once. It
	// does not say so, and takes ten times as long for a short message.
	Slower []int
	// Sent is nil where no rank says what it sent.
	Sent *SentSummary
	// Proxies are where the threads of ranks' proxies might run, by rank, with the NUMA node that the rank is
	// bound to; nil of a rank without such a thread.
	Proxies []*epperfv1.Place
}

// A SentSummary is what ranks sent over a network, in a whole case: checks and warm-up, too.
type SentSummary struct {
	// Messages and Bytes are those of the rank that sent most bytes.
	Messages, Bytes uint64
	// SlowestNS is the longest that any message took until its sender found it over; 0 where all were
	// over at once.
	SlowestNS uint64
	// ProbeSmallNS and ProbeNS are of the pair of ranks that took longest while they connected: 64 bytes, and
	// ProbeBytes.
	ProbeSmallNS, ProbeNS, ProbeBytes uint64
}

// copiesAtOnce is that module of UCX.
const copiesAtOnce = "cma"

// summarizeNetwork returns nil if no rank has a network.
func summarizeNetwork(header *epperfv1.Header, ranks []record.RankRecord) *NetworkSummary {
	var s *NetworkSummary
	for number, rank := range ranks {
		network := rank.Result.GetNetwork()
		if network == nil {
			continue
		}
		if s == nil {
			s = &NetworkSummary{}
		}
		s.add(network)
		s.addSent(network)
		s.addProxy(header, number, network.GetProxyCpus())
		if wantsModule(header, number) && !slices.Contains(network.GetModules(), copiesAtOnce) {
			s.Slower = append(s.Slower, number)
		}
	}
	return s
}

// wantsModule reports whether a rank's UCX should have the module: CPU ranks share memory, and the
// user did not choose otherwise.
func wantsModule(header *epperfv1.Header, rank int) bool {
	p := header.GetPlan()
	if !plan.BackendOf(p).On(p.GetDevice()).CopiesAtOnce || p.GetRanksPerHost() < 2 {
		return false
	}
	host := rank / int(p.GetRanksPerHost())
	if host >= len(header.GetHosts()) {
		return false
	}
	return !slices.ContainsFunc(header.GetHosts()[host].GetUcxEnvironment(), func(variable string) bool {
		return strings.HasPrefix(variable, "UCX_TLS=") || strings.HasPrefix(variable, "UCX_MODULES=")
	})
}

func (s *NetworkSummary) addSent(network *epperfv1.Network) {
	sent := network.GetSent()
	if sent == nil {
		return
	}
	if s.Sent == nil {
		s.Sent = &SentSummary{}
	}
	if sent.GetBytes() >= s.Sent.Bytes {
		s.Sent.Messages, s.Sent.Bytes = sent.GetMessages(), sent.GetBytes()
	}
	s.Sent.SlowestNS = max(s.Sent.SlowestNS, sent.GetSlowestNs())
	for _, peer := range network.GetPeers() {
		s.Sent.ProbeSmallNS = max(s.Sent.ProbeSmallNS, peer.GetProbeSmallNs())
		if peer.GetProbeNs() >= s.Sent.ProbeNS {
			s.Sent.ProbeNS, s.Sent.ProbeBytes = peer.GetProbeNs(), peer.GetProbeBytes()
		}
	}
}

func (s *NetworkSummary) addProxy(header *epperfv1.Header, rank int, cpus string) {
	if cpus == "" {
		return
	}
	for len(s.Proxies) <= rank {
		s.Proxies = append(s.Proxies, nil)
	}
	place := &epperfv1.Place{Cpus: cpus}
	if perHost := int(header.GetPlan().GetRanksPerHost()); perHost > 0 && rank/perHost < len(header.GetHosts()) {
		if places := header.GetHosts()[rank/perHost].GetPlaceOfRank(); rank%perHost < len(places) {
			place.NumaNode = places[rank%perHost].NumaNode
		}
	}
	s.Proxies[rank] = place
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
