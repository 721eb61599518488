package figures_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// What carried rows is what paths and UCX say, never what was asked for.
func TestWhatCarriedRows(t *testing.T) {
	const network, mapped = epperfv1.Path_PATH_NETWORK, epperfv1.Path_PATH_MAPPED
	for name, test := range map[string]struct {
		path       epperfv1.Path
		transports []string
		want       []figures.Carrier
	}{
		"nothing is told":    {epperfv1.Path_PATH_UNSPECIFIED, nil, nil},
		"mapped":             {mapped, nil, []figures.Carrier{figures.Mapped}},
		"mapped, NIXL idle":  {mapped, []string{"self rma(self/memory)"}, []figures.Carrier{figures.Mapped}},
		"a log elsewhere":    {network, nil, []figures.Carrier{figures.Unknown}},
		"TCP, emulated":      {network, []string{"self rma(self/memory)", "intra-node rma_am(tcp/lo) amo_am(tcp/lo) am(tcp/lo tcp/eth0)"}, []figures.Carrier{figures.TCP}},
		"shared memory":      {network, []string{"intra-node rma(sysv/memory posix/memory) amo(sysv/memory) am(sysv/memory cma/memory)"}, []figures.Carrier{figures.SharedMemory}},
		"RDMA":               {network, []string{"inter-node rma(rc_mlx5/mlx5_0:1 rc_mlx5/mlx5_1:1) am(ud_mlx5/mlx5_0:1)"}, []figures.Carrier{figures.RDMA}},
		"RDMA, emulated":     {network, []string{"inter-node rma_am(rc_mlx5/mlx5_0:1) am(rc_mlx5/mlx5_0:1)"}, []figures.Carrier{figures.OtherTransports}},
		"RDMA and TCP":       {network, []string{"inter-node rma(srd/efa_0:1)", "intra-node rma_am(tcp/lo)"}, []figures.Carrier{figures.RDMA, figures.TCP}},
		"messages over RDMA": {network, []string{"inter-node rma(tcp/eth0) am(rc_mlx5/mlx5_0:1)"}, []figures.Carrier{figures.TCP}},
		"a new name":         {network, []string{"inter-node rma(smoke/signal)"}, []figures.Carrier{figures.OtherTransports}},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			for rank, result := range run.Results {
				if test.path != epperfv1.Path_PATH_UNSPECIFIED {
					result.PathToRank = slices.Repeat([]epperfv1.Path{test.path}, len(run.Results))
					result.PathToRank[rank] = epperfv1.Path_PATH_OWN
				}
				result.Network = &epperfv1.Network{Transports: test.transports}
			}
			if diff := cmp.Diff(test.want, summarize(t, run).Cases[0].CarriedBy); diff != "" {
				t.Errorf("carriers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoSetsUCXOtherwiseThanTheBackendMeansIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		backend   epperfv1.NvlinkBackend
		set       []string
		transport string
		want      bool
	}{
		"none over shared memory":         {epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, []string{"UCX_TLS=sm,self"}, "intra-node rma(sysv/memory)", true},
		"none over TCP":                   {epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, []string{"UCX_TLS=tcp,self"}, "intra-node rma_am(tcp/lo)", false},
		"another variable":                {epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, []string{"UCX_LOG_LEVEL=info"}, "intra-node rma(sysv/memory)", false},
		"what means to use shared memory": {epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY, []string{"UCX_TLS=sm,self"}, "intra-node rma(sysv/memory)", false},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.Header.Plan.NvlinkBackend, run.Header.Hosts[0].UcxEnvironment = test.backend, test.set
			for rank, result := range run.Results {
				result.PathToRank = slices.Repeat([]epperfv1.Path{epperfv1.Path_PATH_NETWORK}, len(run.Results))
				result.PathToRank[rank] = epperfv1.Path_PATH_OWN
				result.Network = &epperfv1.Network{Transports: []string{test.transport}}
			}
			if got := summarize(t, run).Cases[0].Overridden; got != test.want {
				t.Errorf("Overridden = %t", got)
			}
		})
	}
}
