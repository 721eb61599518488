package conduct

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/rendezvous"
	"github.com/epperf/epperf/go/internal/report"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A KillAt is when ranks are killed that a phase kills.
type KillAt string

// The times.
const (
	// KillAtWork: while all ranks dispatch and combine.
	KillAtWork KillAt = "work"
	// KillAtConnect: when all ranks have begun to connect.
	KillAtConnect KillAt = "connect"
	// KillBetween: before the phase begins, when they wait for it.
	KillBetween KillAt = "between"
)

// KillTimes are all of them, as a user types them.
var KillTimes = []KillAt{KillAtWork, KillAtConnect, KillBetween}

// killAfter is how long all ranks work before one of them is killed.
const killAfter = 50 * time.Millisecond

// An elastic is an elastic run under way.
type elastic struct {
	Run
	kill    KillAt
	started time.Time
	server  *Server
	facts   *epperfv1.Host
	crew    *launch.Crew
	writer  *record.Writer
	index   int // of the case that runs
	failed  error
}

// Elastic makes the run of a plan of phases on this host, in which ranks join, leave and are killed, and prints its
// record. Ranks that stay keep their process from phase to phase, and the launchers' etcd goes on.
func (r Run) Elastic(ctx context.Context, kill KillAt) (err error) {
	e := &elastic{Run: r, kill: kill, started: time.Now()}
	widest := 0
	for i, c := range r.Plan.GetCases() {
		if c.GetRanks() > r.Plan.GetCases()[widest].GetRanks() {
			widest = i
		}
	}
	needs := r
	needs.Plan = plan.CaseOfPhase(r.Plan, widest)
	system, err := host.This()
	if err != nil {
		return err
	}
	if e.facts, err = needs.facts(system); err != nil {
		return err
	}
	if e.buildID, err = buildID(); err != nil {
		return err
	}
	if err := e.findServerFolder(); err != nil {
		return err
	}
	if e.writer, err = record.Create(r.Output, &epperfv1.Header{
		Plan: r.Plan, PlanSha256: plan.Hash(r.Plan), BuildId: e.buildID, StartedUnixNs: e.started.UnixNano(), Hosts: []*epperfv1.Host{e.facts},
	}); err != nil {
		return err
	}
	failure := e.run(ctx)
	if failure == nil {
		failure = e.failed
	}
	status, text := epperfv1.Trailer_STATUS_PASSED, ""
	var signal *SignalError
	switch {
	case errors.As(failure, &signal):
		status, text = epperfv1.Trailer_STATUS_INTERRUPTED, signal.Error()
	case failure != nil:
		status, text = epperfv1.Trailer_STATUS_FAILED, failure.Error()
	}
	path, err := e.writer.Close(status, text)
	if err != nil {
		return errors.Join(failure, err)
	}
	passed, err := report.Show(r.Stdout, path)
	if failure == nil && err == nil && !passed {
		failure = errors.New("elastic run: not all ranks passed")
	}
	return errors.Join(failure, err)
}

func (e *elastic) run(ctx context.Context) (err error) {
	endpoints, speaks := e.Party.Endpoints, e.Party.TLS
	if len(endpoints) == 0 {
		if e.server, err = StartServer(ctx, e.Run.server, nil); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.server.Close()) }()
		var cancel context.CancelFunc
		ctx, cancel = e.server.Bind(ctx)
		defer cancel()
		endpoints = []string{e.server.Endpoint}
	}
	first := plan.CaseOfPhase(e.Plan, 0)
	e.crew = launch.NewCrew(launch.Config{
		Plan: first, Host: e.facts.GetName(), BuildID: e.buildID,
		Args: e.RankArguments(RankOptions{Host: host.IDOf(e.facts).String()}),
		Env:  rankEnvironment(first), Stderr: e.Stderr, Sink: e, Met: e.met,
	})
	defer func() { err = errors.Join(err, e.crew.Close()) }()
	for index := range e.Plan.GetCases() {
		e.index = index
		if err := e.phase(ctx, rendezvous.Config{Endpoints: endpoints, TLS: speaks}); err != nil {
			return fmt.Errorf("phase %d: %w", e.of().GetIndex(), err)
		}
	}
	return nil
}

func (e *elastic) of() *epperfv1.Phase { return e.Plan.GetCases()[e.index].GetPhase() }

// note keeps when the case that runs came to a point.
func (e *elastic) note(point string, at time.Time) {
	e.writer.Note(&epperfv1.Moment{Name: point, SinceStartNs: uint64(max(0, at.Sub(e.started))), CaseIndex: uint32(e.index)})
}

func (e *elastic) killed() []int {
	var numbers []int
	for _, number := range e.of().GetKilled() {
		numbers = append(numbers, int(number))
	}
	return numbers
}

// phase runs a case: its ranks join, meet under a name of their own, and work.
func (e *elastic) phase(ctx context.Context, at rendezvous.Config) (err error) {
	e.note("begun", time.Now())
	var numbers []int
	for _, number := range e.of().GetRanks() {
		numbers = append(numbers, int(number))
	}
	if err := e.crew.Join(ctx, numbers); err != nil {
		return err
	}
	e.note("ready", time.Now())
	if killed := e.killed(); len(killed) > 0 && e.kill == KillBetween {
		e.killNow()
		if err := e.expected(e.crew.Gone(ctx, killed)); err != nil {
			return err
		}
		for seat := range numbers { // they did nothing, and nothing was wrong
			result := &epperfv1.RankResult{Rank: uint32(seat), Passed: true, Check: &epperfv1.Check{}, Work: &epperfv1.PhaseWork{}}
			if !slices.Contains(killed, numbers[seat]) {
				e.keep(result)
			}
		}
		return e.failed
	}
	of := plan.CaseOfPhase(e.Plan, e.index)
	at.RunID, at.Nodes, at.RanksPerHost = of.GetRunId(), 1, int(of.GetRanksPerHost())
	at.Entry = &epperfv1.HostEntry{Host: e.facts, BuildId: e.buildID, PlanSha256: plan.Hash(of)}
	member, err := rendezvous.Join(ctx, at)
	if err != nil {
		return err
	}
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		defer cancel()
		if left := member.Close(leaving); err == nil {
			err = left
		}
	}()
	ended := e.crew.Run(ctx, of, member)
	if len(e.killed()) > 0 {
		ended = e.expected(ended)
	}
	e.note("ended", time.Now())
	return errors.Join(ended, e.failed)
}

// met is told of barriers that all ranks have left.
func (e *elastic) met(barrier string) {
	if barrier == "connected" || barrier == measure.GoodBarrier {
		e.note(barrier, time.Now())
	}
	if len(e.killed()) == 0 {
		return
	}
	switch {
	case e.kill == KillAtConnect && barrier == "connected":
		e.killNow()
	case e.kill == KillAtWork && barrier == measure.GoodBarrier:
		e.crew.After(killAfter, e.killNow)
	}
}

func (e *elastic) killNow() {
	e.note("killed", time.Now())
	if err := e.crew.Kill(e.killed()); err != nil {
		e.failed = errors.Join(e.failed, err)
	}
}

// expected returns nil for the end of a rank that the plan kills, and keeps it.
func (e *elastic) expected(ended error) error {
	var rank *launch.RankError
	if !errors.As(ended, &rank) || !slices.Contains(e.killed(), rank.Rank) {
		return errors.Join(ended, errors.New("no rank that was to be killed ended first"))
	}
	e.note("detected", e.crew.FailedAt())
	e.note("stopped", time.Now())
	for seat, number := range e.of().GetRanks() {
		if slices.Contains(e.of().GetKilled(), number) {
			e.keep(&epperfv1.RankResult{
				Rank: uint32(seat), Passed: true, Work: &epperfv1.PhaseWork{Pid: uint32(e.crew.PID(int(number))), Killed: true},
			})
		}
	}
	return nil
}

func (e *elastic) keep(result *epperfv1.RankResult) {
	if err := e.WriteResult(result); err != nil {
		e.failed = errors.Join(e.failed, err)
	}
}

// WriteResult keeps what a rank reports of the one case of its plan.
func (e *elastic) WriteResult(result *epperfv1.RankResult) error {
	result.CaseIndex = uint32(e.index)
	if !result.GetPassed() && e.failed == nil {
		e.failed = fmt.Errorf("rank %d: %s", e.of().GetRanks()[result.GetRank()], result.GetError())
	}
	return e.writer.WriteResult(result)
}

// WriteSamples has none to keep.
func (e *elastic) WriteSamples(*epperfv1.Samples) error { return nil }
