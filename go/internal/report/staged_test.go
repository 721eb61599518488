package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Where rows of GPUs stop on their way is said wherever that is so.
func TestAHeaderSaysWhereRowsOfGPUsStop(t *testing.T) {
	const (
		direct, staged = epperfv1.Path_PATH_GPUDIRECT, epperfv1.Path_PATH_STAGED
		none, proxy    = epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY
		tcp            = "intra-node rma_am(tcp/lo) amo_am(tcp/lo) am(tcp/lo tcp/eth0)"
		rdma           = "inter-node rma(rc_mlx5/mlx5_0:1) am(rc_mlx5/mlx5_0:1)"
		// As UCX 1.23 says it.
		ipc = "intra-node rma(sysv/memory posix/memory) amo(sysv/memory posix/memory) device(cuda_ipc/cuda) am(sysv/memory cma/memory cuda_ipc/cuda)"
	)
	for name, test := range map[string]struct {
		backend   epperfv1.NvlinkBackend
		path      epperfv1.Path
		transport string
		want      string
	}{
		"RDMA, GPUs' memory":  {none, direct, rdma, "none (RDMA forced)"},
		"RDMA, hosts' memory": {none, staged, rdma, "none (RDMA forced, staged in host memory)"},
		"TCP, hosts' memory":  {none, staged, tcp, "none (tcp, staged in host memory)"},
		"TCP, GPUs' memory":   {none, direct, tcp, "none (tcp, staged by UCX)"},
		"cuda_ipc":            {proxy, direct, ipc, "nixl-proxy (cuda_ipc)"},
		"beside cuda_ipc":     {proxy, staged, ipc, "nixl-proxy (shared memory, staged in host memory)"},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.Header.Plan.NvlinkBackend = test.backend
			for rank, result := range run.Results {
				result.PathToRank = slices.Repeat([]epperfv1.Path{test.path}, len(run.Results))
				result.PathToRank[rank] = epperfv1.Path_PATH_OWN
				result.Network = &epperfv1.Network{Transports: []string{test.transport}}
			}
			text, _ := show(t, run.Write(t))
			if !strings.Contains(text, "\nBackend: "+test.want+"\n") {
				t.Errorf("no %q in\n%s", test.want, text)
			}
		})
	}
}
