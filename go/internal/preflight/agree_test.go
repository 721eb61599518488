package preflight

import (
	"strings"
	"testing"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestLaunchersAgreeAndReachEachOther(t *testing.T) {
	entry := func(node uint32, change func(*epperfv1.HostEntry)) *epperfv1.HostEntry {
		e := &epperfv1.HostEntry{
			NodeRank: node, BuildId: "b1", PlanSha256: []byte{1},
			Host: &epperfv1.Host{Name: "node-" + string(rune('a'+node)), BootId: "boot", PidNamespace: new(uint64(7))},
		}
		if change != nil {
			change(e)
		}
		return e
	}
	p := &epperfv1.Plan{NvlinkBackend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC}
	for name, test := range map[string]struct {
		change func(*epperfv1.HostEntry)
		want   []string // parts of the error; none: no error
	}{
		"alike":         {nil, nil},
		"another build": {func(e *epperfv1.HostEntry) { e.BuildId = "b2" }, []string{"node 0 (node-a) runs build b1", "node 1 (node-b) build b2", "one binary"}},
		"other devices": {
			func(e *epperfv1.HostEntry) { e.PlanSha256, e.Host.Gpus = []byte{2}, []*epperfv1.Gpu{{Uuid: "GPU-1"}} },
			[]string{"node 0 (node-a) computes on CPUs and node 1 (node-b) on GPUs", "the same --device"},
		},
		"other numbers of GPUs": {
			func(e *epperfv1.HostEntry) { e.PlanSha256, e.Host.Gpus = []byte{2}, []*epperfv1.Gpu{{Uuid: "GPU-1"}} },
			[]string{"node 0 (node-a) has ranks on 2 GPUs and node 1 (node-b) on 1", "the same --num-processes"},
		},
		"other flags":  {func(e *epperfv1.HostEntry) { e.PlanSha256 = []byte{2} }, []string{"node 1 (node-b) was given other flags"}},
		"another host": {func(e *epperfv1.HostEntry) { e.Host.BootId = "other" }, []string{"node 0 (node-a)", "node 1 (node-b)", "two hosts", "--nnodes=1"}},
		"another container": {
			func(e *epperfv1.HostEntry) { e.Host.PidNamespace = new(uint64(8)) },
			[]string{"node 0 (node-a) and node 1 (node-b) are in two PID namespaces of one host (7 and 8)", "--pid=host", "--nvlink-backend=none"},
		},
		"a container that does not tell": {func(e *epperfv1.HostEntry) { e.Host.PidNamespace = nil }, nil},
		"another id":                     {func(e *epperfv1.HostEntry) { e.Host.HostId = "hv2" }, []string{"node 1 (node-b, host id hv2)"}},
	} {
		entries := []*epperfv1.HostEntry{entry(0, nil), entry(1, test.change)}
		if name == "other numbers of GPUs" {
			entries[0].Host.Gpus = []*epperfv1.Gpu{{Uuid: "GPU-2"}, {Uuid: "GPU-3"}}
		}
		err := Agree(p, entries)
		if (err != nil) != (test.want != nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range test.want {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", name, err, part)
			}
		}
	}
}

func TestLaunchersHaveGPUsOfTheirOwn(t *testing.T) {
	entry := func(node uint32, gpus ...string) *epperfv1.HostEntry {
		e := &epperfv1.HostEntry{NodeRank: node, Host: &epperfv1.Host{Name: "a"}}
		for _, uuid := range gpus {
			e.Host.Gpus = append(e.Host.Gpus, &epperfv1.Gpu{Uuid: uuid, Name: "NVIDIA H200"})
		}
		return e
	}
	for name, test := range map[string]struct {
		shared  bool
		entries []*epperfv1.HostEntry
		want    string
	}{
		"apart":         {false, []*epperfv1.HostEntry{entry(0, "GPU-1", "GPU-2"), entry(1, "GPU-3", "GPU-4")}, ""},
		"no GPUs":       {false, []*epperfv1.HostEntry{entry(0), entry(1)}, ""},
		"one of both":   {false, []*epperfv1.HostEntry{entry(0, "GPU-1", "GPU-2"), entry(1, "GPU-2")}, "node 0 (a) and node 1 (a) both compute on GPU-2 (NVIDIA H200)"},
		"shared anyway": {true, []*epperfv1.HostEntry{entry(0, "GPU-1"), entry(1, "GPU-1")}, ""},
	} {
		err := ownGPUs(&epperfv1.Plan{Device: epperfv1.Device_DEVICE_CUDA, SharedGpu: test.shared}, test.entries)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
}
