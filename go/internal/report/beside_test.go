package report_test

import (
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func besideOnSharedSMs(r *recordtest.Run) {
	*r = *recordtest.Beside(epperfv1.Mode_MODE_E2E)
	r.Results[3].Sms.Of(3).OfDispatchBlock[5] = 99
}

func besideOnUnknownSMs(r *recordtest.Run) {
	*r = *recordtest.Beside(epperfv1.Mode_MODE_E2E)
	for _, pass := range r.Case().GetPasses()[1:] {
		pass.Meter = epperfv1.Pass_METER_STREAM
	}
	r.Results[3].Sms.Of(3).OfMeterBlock = nil
}
