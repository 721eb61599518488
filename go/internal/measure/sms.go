package measure

// lookAtSMs notes where the last operations' thread blocks ran. Durations of blocks that shared a
// multiprocessor are none of so many multiprocessors, and never get into a record.
func (r *caseRun) lookAtSMs() error {
	if r.sms == nil {
		return nil
	}
	var err error
	r.sms.OfDispatchBlock, r.sms.OfCombineBlock, r.sms.OfMeterBlock, err = r.engine.SMsOfBlocks()
	return err
}
