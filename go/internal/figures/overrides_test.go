package figures_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestWhatAUserSetsOfUCXIsToldWhereItContradictsTheRun(t *testing.T) {
	const (
		none    = epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE
		proxy   = epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY
		network = epperfv1.Path_PATH_NETWORK
		direct  = epperfv1.Path_PATH_GPUDIRECT
		staged  = epperfv1.Path_PATH_STAGED
		shared  = "intra-node rma(sysv/memory)"
		nic     = "inter-node rma_am(rc_mlx5/mlx5_0:1) am(rc_mlx5/mlx5_0:1)"
	)
	tls := func(by figures.Carrier) []figures.Override { return []figures.Override{{Variable: "UCX_TLS", By: by}} }
	for name, test := range map[string]struct {
		backend   epperfv1.NvlinkBackend
		path      epperfv1.Path
		transport string
		set       string
		want      []figures.Override
	}{
		"none over shared memory":         {none, network, shared, "UCX_TLS=sm,self", tls(figures.SharedMemory)},
		"none over cuda_ipc":              {none, direct, "intra-node rma(cuda_ipc/cuda)", "UCX_TLS=all", tls(figures.CUDAIPC)},
		"none over TCP":                   {none, network, "intra-node rma_am(tcp/lo)", "UCX_TLS=tcp,self", nil},
		"another variable":                {none, network, shared, "UCX_LOG_LEVEL=info", nil},
		"a longer name":                   {none, network, shared, "UCX_TLS_X=sm", nil},
		"what means to use shared memory": {proxy, network, shared, "UCX_TLS=sm,self", nil},

		"NICs kept from GPUs":              {none, direct, nic, "UCX_IB_GPU_DIRECT_RDMA=No", []figures.Override{{Variable: "UCX_IB_GPU_DIRECT_RDMA"}}},
		"NICs that try":                    {none, direct, nic, "UCX_IB_GPU_DIRECT_RDMA=try", nil},
		"NICs that need not reach GPUs":    {none, staged, nic, "UCX_IB_GPU_DIRECT_RDMA=n", nil},
		"no NIC that could reach GPUs":     {none, direct, "inter-node rma_am(tcp/eth0)", "UCX_IB_GPU_DIRECT_RDMA=n", nil},
		"a put, which is no rendezvous":    {none, direct, nic, "UCX_RNDV_SCHEME=am", nil},
		"memory whose kind UCX is told of": {none, direct, nic, "UCX_MEMTYPE_CACHE=n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.Header.Plan.NvlinkBackend, run.Header.Hosts[0].UcxEnvironment = test.backend, []string{test.set}
			for rank, result := range run.Results {
				result.PathToRank = slices.Repeat([]epperfv1.Path{test.path}, len(run.Results))
				result.PathToRank[rank] = epperfv1.Path_PATH_OWN
				result.Network = &epperfv1.Network{Transports: []string{test.transport}}
			}
			if diff := cmp.Diff(test.want, summarize(t, run).Cases[0].Overrides); diff != "" {
				t.Errorf("overrides (-want +got):\n%s", diff)
			}
		})
	}
}
