package conduct

import (
	"context"
	"fmt"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/rendezvous"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Points that a run passes before its first barrier.
const (
	joinedPoint = "joined"
	readyPoint  = "ready"
	metPoint    = "met"
)

// A meeting is a rendezvous whose first exchange waits for all launchers and looks at them. By then
// the ranks run, so that whichever of them ends meanwhile is noticed. Before each later case of a sweep
// it brings the last one into node 0's record, so that an interruption costs a case.
type meeting struct {
	*rendezvous.Member
	run  Run
	kept *outcome
	tell func(point string) // that the run has passed
	met  bool
}

// Exchange lets the launchers meet, once, and then exchanges: the first thing that ranks do in a case.
func (m *meeting) Exchange(ctx context.Context, name string, blobs [][]byte) ([][]byte, error) {
	switch {
	case !m.met:
		m.tell(readyPoint)
		if err := m.meet(ctx); err != nil {
			return nil, err
		}
		m.tell(metPoint)
		m.met = true
	case m.run.sweeps():
		if err := m.run.gather(ctx, m.Member, m.kept); err != nil {
			return nil, err
		}
	}
	return m.Member.Exchange(ctx, name, blobs)
}

func (m *meeting) meet(ctx context.Context) error {
	entries, err := m.Hosts(ctx)
	if err != nil {
		return err
	}
	if err := preflight.Agree(m.run.Plan, entries); err != nil {
		return err
	}
	if len(entries) == 1 {
		return nil // the record knows it
	}
	hosts := make([]*epperfv1.Host, len(entries))
	for node, entry := range entries {
		hosts[node] = entry.GetHost()
	}
	if m.run.firstCase() == 0 {
		return m.kept.setHosts(hosts)
	}
	return sameHosts(m.run.Unfinished.Path, m.run.Unfinished.Header.GetHosts(), hosts)
}

// sameHosts sees that launchers which go on with a record are where those were that began it.
func sameHosts(path string, then, now []*epperfv1.Host) error {
	for node, this := range now {
		if node >= len(then) || !host.Comparable(then[node], this) {
			was := "nobody knows where"
			if node < len(then) {
				was = "on " + then[node].GetName()
			}
			return fmt.Errorf("go on with record %s: node %d was %s, and is on %s now or has other CPUs or GPUs; "+
				"start the launchers where they were, or give all of them --resume=never", path, node, was, this.GetName())
		}
	}
	return nil
}
