package measure

import (
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// lookAtSMs notes where the thread blocks ran of what a pass ran last. Durations of blocks that shared a
// multiprocessor are none of so many multiprocessors, and never get into a record.
func (r *caseRun) lookAtSMs(index int, pass *epperfv1.Pass) error {
	if r.sms == nil || pass.GetOperation() == epperfv1.Mode_MODE_UNSPECIFIED && !pass.Meters() {
		return nil
	}
	ofDispatch, ofCombine, ofMeter, err := r.engine.SMsOfBlocks()
	of := &epperfv1.PassSms{Pass: uint32(index)}
	if pass.Dispatches() {
		of.OfDispatchBlock = ofDispatch
	}
	if pass.Combines() {
		of.OfCombineBlock = ofCombine
	}
	if pass.Meters() {
		of.OfMeterBlock = ofMeter
	}
	r.sms.OfPass = slices.DeleteFunc(r.sms.OfPass, func(before *epperfv1.PassSms) bool { // of an earlier round
		return before.GetPass() == of.GetPass()
	})
	if len(of.OfDispatchBlock)+len(of.OfCombineBlock)+len(of.OfMeterBlock) > 0 {
		r.sms.OfPass = append(r.sms.OfPass, of)
	}
	return err
}
