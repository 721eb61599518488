package conduct

import (
	"os"

	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/nvml"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// nearness says how near this host's GPUs and NICs lie to each other; nil where nobody tells. No run needs
// it, so that is no error.
func nearness() *epperfv1.Nearness {
	gpus, err := nvml.GPUs()
	if err != nil {
		return nil
	}
	host, err := topology.Read(os.DirFS("/sys"), gpus)
	if err != nil {
		return nil
	}
	m := host.Matrix()
	near := &epperfv1.Nearness{Devices: m.Names}
	for _, ways := range m.Cells {
		near.Ways = append(near.Ways, ways...)
	}
	return near
}
