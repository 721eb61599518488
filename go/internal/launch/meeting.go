package launch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// received does what a rank's message asks for.
func (r *Ranks) received(rank *rank, message *epperfv1.FromRank) {
	if hello := message.GetHello(); (hello == nil) != rank.greeted {
		r.fail(r.rankError(rank, fmt.Sprintf("sent %T out of turn", message.GetKind())))
		return
	}
	var err error
	switch kind := message.GetKind().(type) {
	case *epperfv1.FromRank_Hello:
		if err = session.CheckHello(kind.Hello, r.config.BuildID); err == nil {
			rank.greeted = true
			if r.generation == 0 {
				rank.start(r.config.Plan, r.config.FirstCase, 0)
			}
		}
	case *epperfv1.FromRank_Blob:
		err = r.arrived(rank, meeting{name: kind.Blob.GetName(), exchange: true}, kind.Blob.GetData())
	case *epperfv1.FromRank_Barrier:
		err = r.arrived(rank, meeting{name: kind.Barrier.GetName(), epoch: kind.Barrier.GetEpoch()}, nil)
	case *epperfv1.FromRank_Samples:
		if err = r.own(rank, kind.Samples); err == nil {
			r.keep(r.config.Sink.WriteSamples(kind.Samples))
		}
	case *epperfv1.FromRank_Result:
		if err = r.own(rank, kind.Result); err == nil {
			rank.results++
			rank.said = kind.Result.GetError()
			rank.greeted = rank.greeted && r.generation == 0 // what comes then is a Hello
			r.keep(r.config.Sink.WriteResult(kind.Result))
		}
	}
	if err != nil {
		r.fail(r.rankError(rank, err.Error()))
	}
}

// own refuses what a rank reports for another, or for a case that does not exist.
func (r *Ranks) own(rank *rank, report interface {
	GetRank() uint32
	GetCaseIndex() uint32
},
) error {
	if int(report.GetRank()) != rank.seat || int(report.GetCaseIndex()) >= len(r.config.Plan.GetCases()) {
		return fmt.Errorf("reported for rank %d, case %d", report.GetRank(), report.GetCaseIndex())
	}
	return nil
}

// keep ends a run whose outcome cannot be kept.
func (r *Ranks) keep(err error) {
	if err != nil {
		r.fail(err)
	}
}

// A meeting is an exchange or a barrier. First this host's ranks come, then the hosts meet.
type meeting struct {
	name     string
	exchange bool
	epoch    uint64 // of a barrier

	generation uint32
	opened     time.Time
	came       []bool // by local rank
	blobs      [][]byte
}

func (m *meeting) String() string {
	if m.exchange {
		return fmt.Sprintf("exchange %q", m.name)
	}
	return fmt.Sprintf("barrier %q", m.name)
}

// complete reports whether all ranks of this host have come, and so the hosts are meeting.
func (m *meeting) complete() bool { return m != nil && !slices.Contains(m.came, false) }

// arrived notes that a rank has come to a meeting, and opens or completes it.
func (r *Ranks) arrived(rank *rank, at meeting, blob []byte) error {
	if r.failure != nil {
		return nil // it will be told
	}
	if r.meeting == nil {
		r.meeting = &at
		at.generation = r.generation
		at.opened = time.Now()
		at.came, at.blobs = make([]bool, len(r.ranks)), make([][]byte, len(r.ranks))
	}
	open := r.meeting
	if open.name != at.name || open.exchange != at.exchange || open.epoch != at.epoch {
		return fmt.Errorf("came to %v, epoch %d, while others are at %v, epoch %d", &at, at.epoch, open, open.epoch)
	}
	if open.came[rank.local] {
		return fmt.Errorf("came to %v twice", open)
	}
	rank.where = "at " + open.String()
	open.came[rank.local], open.blobs[rank.local] = true, blob
	if open.complete() {
		r.meetHosts(open)
	}
	return nil
}

// meetHosts lets the hosts meet, and then this host's ranks go.
func (r *Ranks) meetHosts(open *meeting) {
	r.all.Go(func() {
		if !open.exchange {
			err := r.rendezvous.Barrier(r.ctx, open.name, open.epoch)
			r.post(func() { r.met(open, nil, err) })
			return
		}
		all, err := r.rendezvous.Exchange(r.ctx, open.name, open.blobs)
		r.post(func() { r.met(open, all, err) })
	})
}

func (r *Ranks) met(open *meeting, all [][]byte, err error) {
	if open.generation != r.generation {
		return
	}
	r.meeting = nil
	if err != nil {
		r.fail(err)
	}
	if r.failure != nil {
		return
	}
	where := "after " + open.String()
	for _, rank := range r.ranks {
		rank.where = where
		if open.exchange {
			rank.send(func(peer *session.Peer) error {
				return peer.Blobs(&epperfv1.Blobs{Name: open.name, Data: all})
			})
			continue
		}
		// Sent from here, which saves each rank the way through another goroutine: the rank asked
		// for it, so it has read all before, and some bytes always fit into its socket.
		err := rank.peer.Barrier(&epperfv1.Barrier{Name: open.name, Epoch: open.epoch})
		if err != nil {
			r.disconnected(rank, err)
		}
	}
	if !open.exchange {
		r.epoch = open.epoch
		if r.config.Met != nil {
			r.config.Met(open.name)
		}
	}
}

// overdue says what the run was waiting for when its time was over.
func (r *Ranks) overdue() error {
	if r.meeting == nil {
		lower := "--iters"
		if slices.ContainsFunc(r.config.Plan.GetCases(), func(c *epperfv1.Case) bool { return c.GetSoak() != nil }) {
			lower = "--soak"
		}
		if slices.ContainsFunc(r.config.Plan.GetCases(), (*epperfv1.Case).Controls) {
			lower = "--rounds"
		}
		return fmt.Errorf("not finished after %v, %s: raise --timeout or lower %s",
			time.Since(r.started).Round(100*time.Millisecond), r.ranks[0].where, lower)
	}
	e := &MissingError{
		Meeting: r.meeting.String(),
		After:   time.Since(r.meeting.opened).Round(100 * time.Millisecond),
		Ranks:   len(r.ranks),
	}
	for _, rank := range r.ranks {
		if !r.meeting.came[rank.local] {
			e.Missing = append(e.Missing, Missing{rank.number, rank.host})
		}
	}
	return e
}

// A MissingError says which of this host's ranks did not come to a meeting in time.
type MissingError struct {
	Meeting string // such as barrier "connected"
	After   time.Duration
	Ranks   int // that this host has
	Missing []Missing
}

// Missing is a rank that did not come.
type Missing struct {
	Rank int
	Host string
}

func (e *MissingError) Error() string {
	names := make([]string, len(e.Missing))
	for i, missing := range e.Missing {
		names[i] = fmt.Sprintf("%d (%s)", missing.Rank, missing.Host)
	}
	return fmt.Sprintf("%s: %d of %d ranks after %v; missing %s",
		e.Meeting, e.Ranks-len(e.Missing), e.Ranks, e.After, strings.Join(names, ", "))
}
