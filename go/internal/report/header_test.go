package report_test

import (
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A header says what brought rows, whatever was asked for.
func TestAHeaderSaysWhatBroughtRows(t *testing.T) {
	const (
		ipc, nixl, none = epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL, epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE
		proxy           = epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL_PROXY
		own             = "self rma(self/memory) am(self/memory tcp/lo)"
		tcp             = "intra-node rma_am(tcp/lo) amo_am(tcp/lo) am(tcp/lo tcp/eth0)"
		shared          = "intra-node rma(sysv/memory posix/memory) am(sysv/memory cma/memory)"
		rdma            = "inter-node rma(rc_mlx5/mlx5_0:1) am(rc_mlx5/mlx5_0:1)"
	)
	for name, test := range map[string]struct {
		backend    epperfv1.NvlinkBackend
		mapped     int // of other ranks
		transports []string
		want       string
	}{
		"ipc":                        {ipc, 7, nil, "ipc"},
		"none, RDMA":                 {none, 0, []string{own, rdma}, "none (RDMA forced)"},
		"none, TCP":                  {none, 0, []string{own, tcp}, "none (tcp)"},
		"none, both":                 {none, 0, []string{own, rdma, tcp}, "none (RDMA and tcp)"},
		"none, against its meaning":  {none, 0, []string{own, shared}, "none (shared memory)"},
		"none, a log elsewhere":      {none, 0, nil, "none (transports unknown)"},
		"nixl on one host":           {nixl, 7, nil, "nixl (mapped within a host)"},
		"nixl, a rank per host":      {nixl, 0, []string{own, rdma}, "nixl (RDMA between hosts)"},
		"nixl, several ranks a host": {nixl, 3, []string{own, rdma}, "nixl (mapped within a host, RDMA between hosts)"},
		"nixl, no NIC between hosts": {nixl, 3, []string{own, tcp}, "nixl (mapped within a host, tcp between hosts)"},
		"the test backend":           {proxy, 0, []string{own, shared}, "nixl-proxy (shared memory)"},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.Header.Plan.NvlinkBackend = test.backend
			for rank, result := range run.Results {
				result.PathToRank = nil
				for peer := range run.Results {
					path := epperfv1.Path_PATH_NETWORK
					switch distance := (peer - rank + len(run.Results)) % len(run.Results); {
					case distance == 0:
						path = epperfv1.Path_PATH_OWN
					case distance <= test.mapped:
						path = epperfv1.Path_PATH_MAPPED
					}
					result.PathToRank = append(result.PathToRank, path)
				}
				if test.backend != ipc {
					result.Network = &epperfv1.Network{Transports: test.transports}
				}
			}
			text, _ := show(t, run.Write(t))
			if !strings.Contains(text, "\nBackend: "+test.want+"\n") {
				t.Errorf("no %q in\n%s", test.want, text)
			}
		})
	}
}
