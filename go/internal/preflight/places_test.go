package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Ranks run near their GPUs, in the order in which CUDA counts these, and without on nodes in turn.
func TestRanksRunOnOneNodeEach(t *testing.T) {
	sys := topologytest.Eight()
	sys.Nodes("0-47", "48-95")
	system := host.System{CPUs: []int{0, 1, 47, 48, 49}}
	gpus := []*epperfv1.Gpu{{Pci: "0000:76:00.0"}, {Pci: "0000:15:00.0"}, {Pci: "nowhere"}}
	zero, one := &epperfv1.Place{NumaNode: new(uint32(0)), Cpus: "0-1,47"}, &epperfv1.Place{NumaNode: new(uint32(1)), Cpus: "48-49"}
	free := &epperfv1.Place{Cpus: "0-1,47-49"}
	for name, test := range map[string]struct {
		bind     epperfv1.Bind
		nodeRank int
		gpus     []*epperfv1.Gpu
		want     []*epperfv1.Place
	}{
		"GPUs":               {0, 1, gpus, []*epperfv1.Place{one, zero, free, one}},
		"CPUs":               {0, 0, nil, []*epperfv1.Place{zero, one, zero, zero}},
		"the second's CPUs":  {0, 1, nil, []*epperfv1.Place{one, zero, one, zero}},
		"nothing is wanted":  {epperfv1.Bind_BIND_NONE, 0, gpus, nil},
		"NUMA, in its words": {epperfv1.Bind_BIND_NUMA, 0, nil, []*epperfv1.Place{zero, one, zero, zero}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &epperfv1.Plan{RanksPerHost: 4, Bind: test.bind}
			places := Places(p, test.nodeRank, system, test.gpus, sys)
			for i := range places {
				places[i].Memory = false // as this machine, not that one, allows
			}
			if diff := cmp.Diff(test.want, DescribePlaces(places), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
