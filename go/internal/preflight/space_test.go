package preflight

import (
	"math"
	"testing"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/native"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestAServersFolderHasRoom(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	if folder, note, err := ServerFolder(Room{Bytes: 1, Files: 1}); folder != temporary || note != "" || err != nil {
		t.Errorf("%q, %q, %v", folder, note, err)
	}
	t.Chdir(temporary)
	t.Setenv("TMPDIR", ".")
	if folder, _, err := ServerFolder(Room{Bytes: 1, Files: 1}); folder != temporary || err != nil {
		t.Errorf("of a relative one: %q, %v", folder, err)
	}
	if folder, _, err := ServerFolder(Room{Bytes: math.MaxUint64}); err == nil {
		t.Errorf("%s has room for all", folder)
	}
}

func TestLimitsOfAProcessAreLookedAt(t *testing.T) {
	c := &epperfv1.Case{Mode: epperfv1.Mode_MODE_E2E, TokensOfRank: []uint32{16}, Topk: 2, Ranks: 4}
	memory := HostMemory{Largest: RankMemory{Memory: native.Memory{RegionBytes: 8 << 20, PrivateBytes: 48 << 20}}}
	on := map[epperfv1.Device]*epperfv1.Plan{}
	for _, device := range []epperfv1.Device{epperfv1.Device_DEVICE_CPU, epperfv1.Device_DEVICE_CUDA} {
		on[device] = &epperfv1.Plan{Device: device}
	}
	const all = math.MaxUint64
	for name, test := range map[string]struct {
		device           epperfv1.Device
		files, addresses uint64
		want             string
	}{
		"no limits":         {epperfv1.Device_DEVICE_CPU, all, all, ""},
		"just enough":       {epperfv1.Device_DEVICE_CPU, 8 << 20, 1280 << 20, ""},
		"files":             {epperfv1.Device_DEVICE_CPU, 8<<20 - 1, all, "e2e/t16/k2 needs files of 8.0 MiB, and the limit is 8.0 MiB; try ulimit -f 8192"},
		"addresses":         {epperfv1.Device_DEVICE_CPU, all, 1 << 30, "e2e/t16/k2 needs 1.2 GiB of address space for each rank, and the limit is 1.0 GiB; try ulimit -v 1310720, or fewer --num-processes, --tokens or --experts-per-rank"},
		"addresses of CUDA": {epperfv1.Device_DEVICE_CUDA, all, 1 << 30, ""},
	} {
		err := withinLimits(on[test.device], c, memory, host.System{FileBytes: test.files, AddressBytes: test.addresses})
		if (err != nil) != (test.want != "") || err != nil && err.Error() != test.want {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
}
