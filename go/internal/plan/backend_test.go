package plan_test

import (
	"testing"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Whatever a plan can say is in the table, and no row contradicts itself.
func TestEveryBackendIsInTheTable(t *testing.T) {
	for number, value := range epperfv1.NvlinkBackend_value {
		backend := plan.BackendFor(epperfv1.NvlinkBackend(value))
		if value == 0 {
			if backend != (plan.Backend{}) {
				t.Errorf("%s: %+v", number, backend)
			}
			continue
		}
		if backend != plan.BackendNamed(epperfv1.Name(epperfv1.NvlinkBackend(value))) || backend != plan.BackendOf(&epperfv1.Plan{NvlinkBackend: epperfv1.NvlinkBackend(value)}) {
			t.Errorf("%s: another by its name or in a plan", number)
		}
		cpu, gpu := backend.On(epperfv1.Device_DEVICE_CPU), backend.On(epperfv1.Device_DEVICE_CUDA)
		for _, way := range []plan.Way{cpu, gpu} {
			if way.NICs && !backend.NIXL || way.CopiesAtOnce && way.Mapped || !way.Mapped && backend.OneHost {
				t.Errorf("%s: %+v, of a device %+v", number, backend, way)
			}
		}
		if backend.Calibrated && !cpu.Mapped {
			t.Errorf("%s: a calibration is of mapped memory", number)
		}
	}
	if unknown := plan.BackendNamed("smoke signals"); unknown != (plan.Backend{}) {
		t.Errorf("of a name that nothing has: %+v", unknown)
	}
}
