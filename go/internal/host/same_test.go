package host_test

import (
	"testing"

	"github.com/epperf/epperf/go/internal/host"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestAMachineIsComparableAfterItStartedAnew(t *testing.T) {
	this := &epperfv1.Host{Name: "node-a", CpuModel: "fast", UsableCpus: 8, Kernel: "6.1.0", BootId: "1", MemoryBytes: 5}
	gpu := []*epperfv1.Gpu{{Uuid: "GPU-1"}}
	for name, test := range map[string]struct {
		other *epperfv1.Host
		want  bool
	}{
		"another boot and kernel": {&epperfv1.Host{Name: "node-a", CpuModel: "fast", UsableCpus: 8, Kernel: "6.2.0", BootId: "2"}, true},
		"another name":            {&epperfv1.Host{Name: "node-b", CpuModel: "fast", UsableCpus: 8}, false},
		"another CPU":             {&epperfv1.Host{Name: "node-a", CpuModel: "slow", UsableCpus: 8}, false},
		"fewer CPUs":              {&epperfv1.Host{Name: "node-a", CpuModel: "fast", UsableCpus: 4}, false},
		"a GPU":                   {&epperfv1.Host{Name: "node-a", CpuModel: "fast", UsableCpus: 8, Gpus: gpu}, false},
	} {
		if got := host.Comparable(this, test.other); got != test.want {
			t.Errorf("%s: Comparable = %t, want %t", name, got, test.want)
		}
	}
}

func TestAHostIsToldByItsBootAndTheUser(t *testing.T) {
	this := &epperfv1.Host{Name: "node-a", BootId: "1", HostId: "x"}
	for name, test := range map[string]struct {
		other *epperfv1.Host
		want  bool
	}{
		"another name for it": {&epperfv1.Host{Name: "node-b", BootId: "1", HostId: "x"}, true},
		"another boot":        {&epperfv1.Host{Name: "node-a", BootId: "2", HostId: "x"}, false},
		"another id":          {&epperfv1.Host{Name: "node-a", BootId: "1"}, false},
	} {
		if got := host.Same(this, test.other); got != test.want {
			t.Errorf("%s: Same = %t, want %t", name, got, test.want)
		}
	}
	if host.Same(&epperfv1.Host{Name: "node-a"}, &epperfv1.Host{Name: "node-b"}) {
		t.Error("two names, and no boot that is known, are one host")
	}
}
