package conduct

import (
	"testing"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

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
		run := Run{Plan: p, Party: Party{Nodes: test.nodes}, GatherBytes: MaxGatheredBytes}
		if got := run.partsOnly(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
