package measure

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file soaks, round by round: iterations of the case's mode, one after the other, some of them checked in full.
// Ranks meet after stretches of about a second to agree on how they go on. What they decide there
// follows from what all of them said, so that all decide alike.

const (
	// stretchNS is about how long a stretch takes: meetings are rare, and a soak ends soon after it is to.
	stretchNS = uint64(time.Second)
	// firstStretch is how many iterations the first one has, of which nobody knows what they take.
	firstStretch = 6
	// maxStretch and maxEvery bound what follows from clocks that hardly advance.
	maxStretch = 1 << 24
	maxEvery   = 1 << 20
	// checksPerWait is how many checks a peer may be waited for within --wait-timeout. Where they
	// would not fit, ranks meet after each, which counts against no deadline of the data plane.
	checksPerWait = 8
)

// A soaking is what a rank knows of its soak.
type soaking struct {
	*caseRun
	began time.Time // this round
	// unchecked iterations have passed since the last that was checked.
	unchecked uint64
	vote      epperfv1.SoakVote
}

// A stretch is what ranks do until they meet again: so many iterations, of which every so manieth is
// checked. Without iterations the soak is over.
type stretch struct{ epochs, every uint64 }

func (r *caseRun) soak(ctx context.Context) error {
	if err := r.Group.Barrier(ctx, "soaking"); err != nil {
		return err
	}
	s := &soaking{caseRun: r, began: r.now()}
	if r.soaked == nil {
		r.soaked, r.soakBegan = &epperfv1.SoakCount{}, s.began
	}
	r.soaked.Rounds++
	for {
		votes, err := s.meet(ctx)
		if err != nil {
			return err
		}
		next := nextStretch(r.of.GetSoak(), r.Plan.GetWaitTimeoutNs(), r.soaked.GetEpochs(), s.unchecked, votes)
		r.goesOn = next.epochs > 0 && slices.ContainsFunc(votes, (*epperfv1.SoakVote).GetRoundOver)
		if next.epochs == 0 || r.goesOn {
			return r.lookAtSMs(0, epperfv1.Operations(r.of.GetMode(), 1))
		}
		if err := s.run(next); err != nil {
			return err
		}
		if r.Progress != nil {
			r.Progress(r.soaked)
		}
	}
}

// meet tells all ranks what this one took for the last stretch, and returns what each says.
func (s *soaking) meet(ctx context.Context) ([]*epperfv1.SoakVote, error) {
	duration := time.Duration(s.of.GetSoak().GetDurationNs())
	s.vote.Over = s.soaked.GetWrong() > 0 || duration > 0 && s.now().Sub(s.soakBegan) >= duration
	round := time.Duration(s.of.GetSoak().GetRoundNs())
	s.vote.RoundOver = round > 0 && s.now().Sub(s.began) >= round
	blob, err := proto.Marshal(&s.vote)
	if err != nil {
		return nil, err
	}
	blobs, err := s.Group.Exchange(ctx, "soak", blob)
	if err != nil {
		return nil, err
	}
	votes := make([]*epperfv1.SoakVote, len(blobs))
	for rank, blob := range blobs {
		votes[rank] = &epperfv1.SoakVote{}
		if err := proto.Unmarshal(blob, votes[rank]); err != nil {
			return nil, fmt.Errorf("read what rank %d took: %w", rank, err)
		}
	}
	return votes, nil
}

// nextStretch decides how all ranks go on after `done` iterations, `unchecked` of them since the
// last check.
func nextStretch(of *epperfv1.Soak, waitTimeoutNS, done, unchecked uint64, votes []*epperfv1.SoakVote) stretch {
	if of.GetEpochs() > 0 && done >= of.GetEpochs() {
		return stretch{}
	}
	var epochNS, checkNS uint64
	every := uint64(of.GetCheckEvery())
	chosen := uint64(1)
	for _, vote := range votes {
		if vote.GetOver() {
			return stretch{}
		}
		epochNS, checkNS = max(epochNS, vote.GetEpochNs()), max(checkNS, vote.GetCheckNs())
		if vote.GetEpochNs() > 0 {
			// So many iterations take as long as a check.
			chosen = max(chosen, min(vote.GetCheckNs()/vote.GetEpochNs()+1, maxEvery))
		}
	}
	if every == 0 {
		every = coprimeFrom(chosen)
	}
	next := stretch{epochs: min(every, firstStretch), every: every}
	if perEpochNS := epochNS + checkNS/every; perEpochNS > 0 {
		next.epochs = min(max(stretchNS/perEpochNS, 1), maxStretch)
	}
	if checkNS > waitTimeoutNS/checksPerWait {
		next.epochs = min(next.epochs, every-min(unchecked, every-1))
	}
	if of.GetEpochs() > 0 {
		next.epochs = min(next.epochs, of.GetEpochs()-done)
	}
	return next
}

// coprimeFrom returns the least number from n on that neither 2 nor 3 divides: every so manieth
// iteration is of another set than the one before, in another bank.
func coprimeFrom(n uint64) uint64 {
	for n%2 == 0 || n%3 == 0 {
		n++
	}
	return n
}

// run goes through a stretch and notes what it took. Of a number of epochs, the last is checked.
func (s *soaking) run(through stretch) error {
	var runNS, checkNS, checks uint64
	planned := s.of.GetSoak().GetEpochs()
	for left := through.epochs; left > 0; {
		n := min(left, through.every-1-min(s.unchecked, through.every-1))
		if planned > 0 {
			n = min(n, planned-1-s.soaked.GetEpochs())
		}
		if n > 0 {
			tookNS, err := s.iterate(n)
			if err != nil {
				return err
			}
			runNS, left, s.unchecked = runNS+tookNS, left-n, s.unchecked+n
			continue
		}
		began := s.now()
		if err := s.engine.Poison(epperfv1.Operations(s.of.GetMode(), 1)); err != nil {
			return err
		}
		poisoned := s.now()
		tookNS, err := s.iterate(1)
		if err != nil {
			return err
		}
		ran := s.now()
		if err := s.compare(); err != nil {
			return err
		}
		checkNS += uint64(s.now().Sub(ran) + poisoned.Sub(began))
		runNS, left, s.unchecked, checks = runNS+tookNS, left-1, 0, checks+1
	}
	s.vote.EpochNs = runNS / through.epochs
	if checks > 0 {
		s.vote.CheckNs = checkNS / checks
	}
	return nil
}

// iterate runs n iterations and returns how long that took, waits for peers included.
func (s *soaking) iterate(n uint64) (tookNS uint64, err error) {
	began := s.now()
	if _, err := s.engine.Run(epperfv1.Operations(s.of.GetMode(), int(n))); err != nil {
		return 0, err
	}
	s.soaked.Epochs += n
	return uint64(s.now().Sub(began)), nil
}

// compare checks what the last iteration left behind.
func (s *soaking) compare() error {
	found, err := s.engine.Check(epperfv1.Operations(s.of.GetMode(), 1))
	if err != nil {
		return err
	}
	s.soaked.Checked++
	s.soaked.Rows += found.GetRows()
	s.soaked.Wrong += found.GetWrong()
	if found.GetWrong() > 0 && s.soaked.WrongRound == nil {
		s.soaked.WrongRound = &s.round
	}
	s.found(found)
	return nil
}
