package record_test

import (
	"testing"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestPassesThatTheCaseDoesNotHaveAreDamage(t *testing.T) {
	for name, change := range map[string]func(*recordtest.Run){
		"no passes":                    func(r *recordtest.Run) { r.Case().Passes = nil },
		"passes that nobody asked for": func(r *recordtest.Run) { r.Case().Passes = r.Case().GetPasses()[:1] },
		"a pass behind the last":       func(r *recordtest.Run) { r.Samples[9].Pass = 3 },
		"two chains":                   func(r *recordtest.Run) { r.Samples[16].DurationNs = []uint64{1, 2} },
		"round trips of rank 1": func(r *recordtest.Run) {
			r.Case().Passes[1].Kind = epperfv1.Pass_KIND_ROUND_TRIPS
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Detailed(epperfv1.Mode_MODE_E2E)
			change(run)
			if _, err := record.Read(run.Write(t)); err == nil {
				t.Error("it was read")
			}
		})
	}
}
