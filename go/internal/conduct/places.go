package conduct

import (
	"github.com/epperf/epperf/go/internal/binding"
	"github.com/epperf/epperf/go/internal/host"
)

// placer has the thread that starts ranks be where the next one is to run; nil where nothing is bound.
func placer(places []binding.Place) func(local int) error {
	if places == nil {
		return nil
	}
	return func(local int) error { return places[local].Thread() }
}

// sharedCPUs lists those of a launcher whose ranks are bound to fewer: how ranks wait, and how much of the caches
// they flush, goes by what all have together.
func sharedCPUs(places []binding.Place, system host.System) string {
	if places == nil {
		return ""
	}
	return binding.FormatCPUs(system.CPUs)
}
