package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Of what ranks sent, and of what was probed, the most and the slowest count.
func TestSentIsOfTheSlowest(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	for rank, result := range run.Results {
		n := uint64(rank)
		result.Network = &epperfv1.Network{
			Sent:  &epperfv1.Sent{Messages: 10 + n, Bytes: 1000 * n, SlowestNs: 900 - n, Steps: 50},
			Peers: []*epperfv1.PeerNetwork{{Rank: 1, ProbeSmallNs: 30 + n, ProbeNs: 400 - n, ProbeBytes: 4096}},
		}
	}
	ranks := uint64(len(run.Results))
	want := &figures.SentSummary{
		Messages: 10 + ranks - 1, Bytes: 1000 * (ranks - 1), SlowestNS: 900,
		ProbeSmallNS: 30 + ranks - 1, ProbeNS: 400, ProbeBytes: 4096,
	}
	if diff := cmp.Diff(want, summarize(t, run).Cases[0].Network.Sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// UCX without its module is slow and says nothing; who chose that is not told of it.
func TestRanksWithoutTheModuleThatCopiesAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*epperfv1.Header)
		want   []int
	}{
		"two of them":            {func(*epperfv1.Header) {}, []int{3, 5}},
		"the user chose":         {func(h *epperfv1.Header) { h.Hosts[0].UcxEnvironment = []string{"UCX_TLS=tcp"} }, nil},
		"the user chose modules": {func(h *epperfv1.Header) { h.Hosts[0].UcxEnvironment = []string{"UCX_MODULES=^cma"} }, nil},
		"another variable":       {func(h *epperfv1.Header) { h.Hosts[0].UcxEnvironment = []string{"UCX_TLS_X=1"} }, []int{3, 5}},
		"TCP alone": {func(h *epperfv1.Header) {
			h.Plan.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE
		}, nil},
		"GPUs":                 {func(h *epperfv1.Header) { h.Plan.Device = epperfv1.Device_DEVICE_CUDA }, nil},
		"nobody else there":    {func(h *epperfv1.Header) { h.Plan.RanksPerHost = 1 }, nil},
		"no host is described": {func(h *epperfv1.Header) { h.Hosts = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.Header.Plan.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY
			for rank, result := range run.Results {
				result.Network = &epperfv1.Network{UcxVersion: "1.23.0", Modules: []string{"cma"}}
				if rank == 3 || rank == 5 {
					result.Network.Modules = []string{"ib"}
				}
			}
			test.change(run.Header)
			got := summarize(t, run).Cases[0].Network
			if diff := cmp.Diff(test.want, got.Slower); diff != "" {
				t.Errorf("slower ranks (-want +got):\n%s", diff)
			}
		})
	}
}
