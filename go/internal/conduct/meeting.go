package conduct

import (
	"context"

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

// A firstMeeting is a rendezvous whose first exchange waits for all launchers and looks at them.
// By then the ranks run, so that whichever of them ends meanwhile is noticed.
type firstMeeting struct {
	*rendezvous.Member
	plan *epperfv1.Plan
	kept *outcome
	// ready is told when all ranks of this host have come.
	ready func(string)
	met   bool
}

// Exchange lets the launchers meet, once, and then exchanges.
func (f *firstMeeting) Exchange(ctx context.Context, name string, blobs [][]byte) ([][]byte, error) {
	if !f.met {
		f.ready(readyPoint)
		if err := f.meet(ctx); err != nil {
			return nil, err
		}
		f.ready(metPoint)
		f.met = true
	}
	return f.Member.Exchange(ctx, name, blobs)
}

func (f *firstMeeting) meet(ctx context.Context) error {
	entries, err := f.Hosts(ctx)
	if err != nil {
		return err
	}
	if err := preflight.Agree(f.plan, entries); err != nil {
		return err
	}
	if len(entries) == 1 {
		return nil // the record knows it
	}
	hosts := make([]*epperfv1.Host, len(entries))
	for node, entry := range entries {
		hosts[node] = entry.GetHost()
	}
	return f.kept.setHosts(hosts)
}
