package plan

import (
	"fmt"
	"math"
	"strconv"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file plans a soak: checked iterations in place of timed ones.

const (
	// maxSoakEpochs take a year and more at a microsecond each.
	maxSoakEpochs = 100_000_000_000_000
	// maxSoak bounds the duration of a soak; with --timeout it stays below maxDuration.
	maxSoak = 28 * 24 * time.Hour
	// usualRound is how long a round of a soak is, for who does not choose.
	usualRound = time.Minute
	// goodSoak is one to suggest.
	goodSoak = "10m"
)

var soakCheckLimits = limits{"soak-check", 0, maxIterations}

// addSoak makes the plan's case a soak if one is asked for. Nothing is timed then.
func (o Options) addSoak(p *epperfv1.Plan) error {
	if o.Soak == "" {
		if o.SoakCheck != 0 {
			return &UsageError{"soak-check", strconv.Itoa(o.SoakCheck), "there is no soak", argument("soak", goodSoak)}
		}
		if o.SoakRound != usualRound {
			return &UsageError{"soak-round", o.SoakRound.String(), "there is no soak", argument("soak", goodSoak)}
		}
		return nil
	}
	if o.SoakRound < 0 || o.SoakRound > maxSoak {
		return &UsageError{"soak-round", o.SoakRound.String(), fmt.Sprintf("must be at most %s; 0 is one round", maxSoak), argument("soak-round", usualRound)}
	}
	if o.Detail {
		return &UsageError{"soak", o.Soak, "nothing is timed in a soak, so there are no details", "without --detail"}
	}
	if err := soakCheckLimits.check(int64(o.SoakCheck)); err != nil {
		return err
	}
	soak := &epperfv1.Soak{CheckEvery: uint32(coprimeBelow(o.SoakCheck)), RoundNs: uint64(o.SoakRound)}
	if epochs, err := strconv.ParseUint(o.Soak, 10, 64); err == nil {
		soak.Epochs = epochs
	} else if duration, err := time.ParseDuration(o.Soak); err == nil && duration > 0 {
		soak.DurationNs = uint64(duration)
		p.TimeoutNs += uint64(duration)
	} else {
		return &UsageError{"soak", strconv.Quote(o.Soak), "neither a number of epochs nor a time such as 90s or 10m", argument("soak", goodSoak)}
	}
	if err := validateSoak(soak); err != nil {
		return err
	}
	c := p.GetCases()[0]
	c.Warmup, c.Passes, c.Soak = 0, nil, soak
	return nil
}

// coprimeBelow returns the largest number up to every that neither 2 nor 3 divides, or 0 of 0. Every
// so manieth iteration is then of another set than the one before, in another bank.
func coprimeBelow(every int) int {
	for every > 0 && (every%2 == 0 || every%3 == 0) {
		every--
	}
	return every
}

// validateSoak returns a *UsageError for a soak that has no end or could check the same set for ever.
func validateSoak(s *epperfv1.Soak) error {
	switch every := int(s.GetCheckEvery()); {
	case s.GetEpochs() == 0 && s.GetDurationNs() == 0, s.GetEpochs() > maxSoakEpochs:
		problem := fmt.Sprintf("must be 1 to %s epochs", thousands(int64(maxSoakEpochs)))
		return &UsageError{"soak", strconv.FormatUint(s.GetEpochs(), 10), problem, argument("soak", min(max(s.GetEpochs(), 1), maxSoakEpochs))}
	case s.GetEpochs() > 0 && s.GetDurationNs() > 0:
		return &UsageError{"soak", strconv.FormatUint(s.GetEpochs(), 10), "has a number of epochs and a duration", argument("soak", goodSoak)}
	case s.GetDurationNs() > uint64(maxSoak):
		value := time.Duration(min(s.GetDurationNs(), math.MaxInt64))
		return &UsageError{"soak", value.String(), fmt.Sprintf("must be at most %s", maxSoak), argument("soak", maxSoak)}
	case every > maxIterations || every != coprimeBelow(every):
		problem := "must be divisible neither by 2 nor by 3"
		return &UsageError{"soak-check", strconv.Itoa(every), problem, argument("soak-check", coprimeBelow(min(every, maxIterations)))}
	}
	return nil
}
