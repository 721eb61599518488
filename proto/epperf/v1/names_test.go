package epperfv1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestNamesAreWhatUsersType(t *testing.T) {
	for name, test := range map[string]struct{ got, want []string }{
		"mode":           {epperfv1.Names(epperfv1.Mode(0)), []string{"dispatch", "combine", "e2e"}},
		"dtype":          {epperfv1.Names(epperfv1.Dtype(0)), []string{"fp8", "bf16"}},
		"layout":         {epperfv1.Names(epperfv1.Layout(0)), []string{"expert", "rank", "flat", "contig"}},
		"combine":        {epperfv1.Names(epperfv1.CombineSum(0)), []string{"rank", "expert"}},
		"quantize":       {epperfv1.Names(epperfv1.Quantize(0)), []string{"inside", "outside"}},
		"device":         {epperfv1.Names(epperfv1.Device(0)), []string{"cpu", "cuda"}},
		"nvlink backend": {epperfv1.Names(epperfv1.NvlinkBackend(0)), []string{"ipc", "nixl", "none", "nixl-proxy"}},
		"nic memory":     {epperfv1.Names(epperfv1.NicMemory(0)), []string{"auto", "gpu", "host"}},
		"gpu flush":      {epperfv1.Names(epperfv1.GpuFlush(0)), []string{"auto", "always", "never"}},
		"routing":        {epperfv1.Names(epperfv1.Routing_Kind(0)), []string{"uniform", "balanced", "zipf", "hot", "file"}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("names of a %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseUndoesName(t *testing.T) {
	for _, mode := range []epperfv1.Mode{epperfv1.Mode_MODE_DISPATCH, epperfv1.Mode_MODE_COMBINE, epperfv1.Mode_MODE_E2E} {
		if got, ok := epperfv1.Parse[epperfv1.Mode](epperfv1.Name(mode)); got != mode || !ok {
			t.Errorf("Parse(%q) = %v, %t; want %v", epperfv1.Name(mode), got, ok, mode)
		}
	}
}

func TestWhatHasNoName(t *testing.T) {
	for mode, want := range map[epperfv1.Mode]string{0: "unspecified", 99: "99", -1: "-1"} {
		if got := epperfv1.Name(mode); got != want || epperfv1.Known(mode) {
			t.Errorf("Name(%d) = %q; want %s and not known", mode, got, want)
		}
	}
	for _, text := range []string{"", "unspecified", "E2E", "mode_e2e", "e2e "} {
		if got, ok := epperfv1.Parse[epperfv1.Mode](text); ok {
			t.Errorf("Parse(%q) = %v", text, got)
		}
	}
}
