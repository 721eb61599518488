package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestEndpoints(t *testing.T) {
	for list, test := range map[string]struct {
		want   []string
		secure bool
		wrong  string
	}{
		"":                           {},
		"10.0.0.1:2379":              {want: []string{"10.0.0.1:2379"}},
		"http://a:1, b:2":            {want: []string{"a:1", "b:2"}},
		"https://a:1/,https://b:2":   {want: []string{"a:1", "b:2"}, secure: true},
		"[::1]:2379":                 {want: []string{"[::1]:2379"}},
		"a":                          {wrong: "not host:port"},
		"a:1,":                       {wrong: "not host:port"},
		"a:1/keys":                   {wrong: "not host:port"},
		"unix://socket:0":            {wrong: "not http or https"},
		"http://a:1,https://b:2":     {wrong: "in one list"},
		"http://user:secret@a:1,b:2": {wrong: "not host:port"},
	} {
		got, secure, err := parseEndpoints(list)
		if test.wrong != "" {
			var usage command.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%q: %v, want a usage error with %q", list, err, test.wrong)
			}
			continue
		}
		if err != nil || !slices.Equal(got, test.want) || secure != test.secure {
			t.Errorf("%q: %q, %t, %v", list, got, secure, err)
		}
	}
}

func TestRunIDs(t *testing.T) {
	for name, test := range map[string]struct {
		typed, job, step string
		nodes            int
		want, wrong      string
	}{
		"typed":               {"mine", "7", "0", 2, "mine", ""},
		"scheduler's step":    {"", "7", "0", 2, "7.0", ""},
		"scheduler's job":     {"", "7", "", 2, "7", ""},
		"one launcher":        {"", "", "", 1, "", ""},
		"nothing in common":   {"", "", "", 2, "", "--run-id"},
		"a step without job?": {"", "", "3", 2, "", "--run-id"},
	} {
		environment := map[string]string{"SLURM_JOB_ID": test.job, "SLURM_STEP_ID": test.step}
		got, err := party{nodes: test.nodes}.runID(test.typed, func(name string) string { return environment[name] })
		if got != test.want || (err != nil) != (test.wrong != "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestLaunchersAgreeAndReachEachOther(t *testing.T) {
	entry := func(node uint32, change func(*epperfv1.HostEntry)) *epperfv1.HostEntry {
		e := &epperfv1.HostEntry{
			NodeRank: node, BuildId: "b1", PlanSha256: []byte{1},
			Host: &epperfv1.Host{Name: "node-" + string(rune('a'+node)), BootId: "boot"},
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
		"other flags":  {func(e *epperfv1.HostEntry) { e.PlanSha256 = []byte{2} }, []string{"node 1 (node-b) was given other flags"}},
		"another host": {func(e *epperfv1.HostEntry) { e.Host.BootId = "other" }, []string{"node 0 (node-a)", "node 1 (node-b)", "two hosts", "--nnodes=1"}},
		"another id":   {func(e *epperfv1.HostEntry) { e.Host.HostId = "hv2" }, []string{"node 1 (node-b, host id hv2)"}},
	} {
		entries := []*epperfv1.HostEntry{entry(0, nil), entry(1, test.change)}
		err := agree(entries)
		if err == nil {
			err = reachable(p, entries)
		}
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

func TestManySamplesStayInParts(t *testing.T) {
	for name, test := range map[string]struct {
		ranks, iterations uint32
		nodes             int
		want              bool
	}{
		"few":          {64, 100, 8, false},
		"64 MiB":       {16, 1 << 20, 2, false},
		"more":         {17, 1 << 20, 17, true},
		"one launcher": {64, 1_000_000, 1, false},
	} {
		p := &epperfv1.Plan{Cases: []*epperfv1.Case{{Ranks: test.ranks, Passes: []*epperfv1.Pass{{Count: test.iterations}}}}}
		m := measurement{plan: p, party: party{nodes: test.nodes}, gatherBytes: maxGatheredBytes}
		if got := m.partsOnly(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
