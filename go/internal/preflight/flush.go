package preflight

import (
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// leastFlushBytes is what all ranks of a host write at least, and a rank where it alone does: a
	// virtual machine may tell of smaller caches than it has, or of none.
	leastFlushBytes = 256 << 20
	// leastInnerBytes is what a CPU's own cache has where nobody tells.
	leastInnerBytes = 2 << 20
	// cachesFlushed is how often a cache is written over: what goes first is not what came first.
	cachesFlushed = 2
)

// FlushBytes returns how much each rank on CPUs writes before its timed block, to push what it works with
// out of the caches. All ranks of a host write the caches that they share over together, and each those
// of its own CPU; none writes more than its own threads' caches hold.
func FlushBytes(p *epperfv1.Plan, system host.System) uint64 {
	caches, _ := system.Caches()
	share := max(cachesFlushed*caches.LastBytes, leastFlushBytes) / uint64(plan.RanksOnHost(p))
	most := max(cachesFlushed*caches.LargestBytes*uint64(plan.Threads(p)), leastFlushBytes)
	return max(min(share, most), cachesFlushed*max(caches.InnerBytes, leastInnerBytes))
}

// flushes reports whether a case has a timed block, before which caches are flushed.
func flushes(c *epperfv1.Case) bool { return c.TimesOperations() }
