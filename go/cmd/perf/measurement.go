package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A measurement is one run: a plan, and where its record and its words go.
type measurement struct {
	plan   *epperfv1.Plan
	party  party
	limit  *epperfv1.Limit // what the run is held against; nil if nothing
	output string
	dump   string // where ranks leave their tensors; may be empty
	nixl   native.NIXL
	stdout io.Writer
	stderr io.Writer
	quiet  bool
	debug  bool // say when barriers are passed
	nics   preflight.NICs
	// gatherBytes is how many bytes of samples are brought to node 0; of more there are only parts.
	gatherBytes uint64

	system  host.System
	buildID string
}

// do makes sure that the run can be made and kept, makes it, and prints its record.
func (m measurement) do(ctx context.Context) (err error) {
	started := time.Now()
	if m.system, err = host.This(); err != nil {
		return err
	}
	if err := preflight.EnoughMemory(m.plan, m.party.nodeRank, m.system); err != nil {
		return err
	}
	gpus, err := preflight.GPUsOf(m.plan)
	if err != nil {
		return err
	}
	if err := preflight.EnoughGPUMemory(m.plan, gpus); err != nil {
		return err
	}
	if err := preflight.EnoughFiles(m.plan); err != nil {
		return err
	}
	netDevices, err := m.nics.OfRanks(m.plan, gpus, os.DirFS("/sys"), m.stderr)
	if err != nil {
		return err
	}
	if m.buildID, err = buildID(); err != nil {
		return err
	}
	if err := m.prepareDump(); err != nil {
		return err
	}
	facts := m.system.Describe()
	facts.HostId, facts.Gpus, facts.NetDevicesOfRank = m.party.hostID, gpus, netDevices
	writer, err := record.Create(m.output, &epperfv1.Header{
		Plan:          m.plan,
		PlanSha256:    plan.Hash(m.plan),
		BuildId:       m.buildID,
		StartedUnixNs: started.UnixNano(),
		Hosts:         []*epperfv1.Host{facts},
		PartOfNode:    m.partOf(),
		Limit:         m.limit,
	})
	if err != nil {
		return err
	}
	kept := newOutcome(writer, m.plan)
	kept.giving, kept.apart = m.party.nodeRank > 0, m.partsOnly()
	progress := newProgress(m.stderr, m.quiet)
	met := func(barrier string) {
		progress.met(barrier)
		if m.debug {
			fmt.Fprintf(progress, "perf: %s after %v\n", barrier, time.Since(started).Round(time.Millisecond))
		}
	}
	failure := m.lead(ctx, launch.Config{
		Plan:     m.plan,
		NodeRank: m.party.nodeRank,
		Host:     facts.GetName(),
		BuildID:  m.buildID,
		Args:     m.rankArguments(),
		Env:      rankEnvironment(m.plan),
		RankEnv:  netDevicesEnvironment(netDevices),
		Stderr:   progress,
		Sink:     kept,
		Met:      met,
	}, facts, kept)
	progress.close()
	if failure == nil {
		failure = m.describeDump()
	}
	return m.conclude(kept, failure)
}

// rankArguments are those of every rank of this host.
func (m measurement) rankArguments() []string {
	arguments := []string{rankName}
	if m.dump != "" {
		arguments = append(arguments, "--"+dumpFlag+"="+m.dump)
	}
	if soaks(m.plan) && !m.quiet {
		arguments = append(arguments, "--"+progressFlag)
	}
	return append(arguments, nixlArguments(m.nixl)...)
}

// conclude closes the record and prints it. Of an interrupted run there is one line, and of a soak
// besides what it had checked.
func (m measurement) conclude(kept *outcome, failure error) error {
	if failure != nil {
		failure = fmt.Errorf("run %s: %w", plan.CaseName(m.plan.GetCases()[0]), failure)
	}
	path, err := kept.close(failure)
	if err != nil && errors.Is(failure, err) {
		return failure // a record that could not be kept is what ended the run
	}
	if err != nil {
		return errors.Join(failure, err)
	}
	var signal *signalError
	if errors.As(failure, &signal) {
		fmt.Fprintf(m.stderr, "perf: %v; what was measured is in %s\n", signal, path)
		if soaks(m.plan) && m.partOf() == nil {
			if _, err := report.Show(m.stdout, path); err != nil {
				return err
			}
		}
		return command.ErrFailed
	}
	if m.partOf() != nil {
		return m.concludePart(kept, path, failure)
	}
	passed, err := report.Show(m.stdout, path)
	switch {
	case failure != nil:
		return errors.Join(failure, err)
	case err != nil:
		return err
	case !passed:
		return fmt.Errorf("run %s: %s", plan.CaseName(m.plan.GetCases()[0]), kept.problem())
	}
	return nil
}

// partOf is this launcher's node where its record is only a part of the run's.
func (m measurement) partOf() *uint32 {
	if m.party.nodeRank == 0 && !m.partsOnly() {
		return nil
	}
	node := uint32(m.party.nodeRank)
	return &node
}

// concludePart prints where a part is, and nothing that would look like the whole.
func (m measurement) concludePart(kept *outcome, path string, failure error) error {
	first := m.party.nodeRank * int(m.plan.GetRanksPerHost())
	whole := "node 0 prints the run"
	if kept.apart {
		whole = fmt.Sprintf("more than %d MiB of samples stay where they were measured", m.gatherBytes>>20)
	}
	fmt.Fprintf(m.stdout, "Part: %s (node %d, ranks %d-%d; %s)\n",
		path, m.party.nodeRank, first, first+int(m.plan.GetRanksPerHost())-1, whole)
	if failure == nil && len(kept.failed) > 0 {
		failure = fmt.Errorf("run %s: %s", plan.CaseName(m.plan.GetCases()[0]), kept.problem())
	}
	return failure
}
