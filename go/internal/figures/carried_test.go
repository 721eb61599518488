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
