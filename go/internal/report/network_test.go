package report_test

import (
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// overNetwork has ranks that all say the same of their network.
func overNetwork(r *recordtest.Run) {
	r.Header.Plan.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY
	for _, result := range r.Results {
		result.Network = &epperfv1.Network{
			UcxVersion: "1.23.0",
			Modules:    []string{"cma"},
			Transports: []string{"intra-node rma(sysv/memory cma/memory) am(sysv/memory)"},
		}
	}
}

func detailedOverNetwork(r *recordtest.Run) {
	withoutLimit(r)
	overNetwork(r)
	r.Header.Hosts[0].PlaceOfRank = []*epperfv1.Place{{NumaNode: new(uint32(1)), Cpus: "48-95"}}
	for rank, result := range r.Results {
		if rank < 2 { // the second one is bound to no node
			result.Network.ProxyCpus = []string{"48-95", "0-95"}[rank]
		}
		result.Network.Sent = &epperfv1.Sent{Messages: 1_234, Bytes: 5_678_901, SlowestNs: 1_234_567, Steps: 9_999}
		result.Network.Peers = []*epperfv1.PeerNetwork{{Rank: 1, ProbeSmallNs: 35_100, ProbeNs: 814_000, ProbeBytes: 4 << 20}}
	}
}

// overUnknownNetwork has ranks that used a network and say no more.
func overUnknownNetwork(r *recordtest.Run) {
	overNetwork(r)
	for _, result := range r.Results {
		result.Network = &epperfv1.Network{}
	}
}

// overNetworks has one rank with another UCX that says little, and one that says hostile things.
func overNetworks(r *recordtest.Run) {
	overNetwork(r)
	r.Results[3].Network = &epperfv1.Network{}
	r.Results[5].Network = &epperfv1.Network{UcxVersion: "1.22.0\x1b[2J", Modules: []string{"ib", "cma"}}
}
