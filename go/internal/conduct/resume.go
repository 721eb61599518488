package conduct

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Unfinished opens the record at a path, whose run is to go on: this program has to have begun it, on
// this machine. Where asked is not nil, what it asks for has to be what the record's plan does.
func Unfinished(path string, asked *epperfv1.Plan) (*record.Unfinished, error) {
	u, err := record.OpenUnfinished(path)
	if err != nil {
		return nil, err
	}
	problem, err := cannotContinue(u, func() (*epperfv1.Host, error) { return thisHost(u.Header.GetPlan()) })
	if asked != nil && problem == "" && !bytes.Equal(plan.Hash(asked), u.Header.GetPlanSha256()) {
		problem = "the launchers' flags ask for another sweep; give all of them those that it was begun with"
	}
	if err != nil || problem != "" {
		u.Close()
	}
	if err != nil {
		return nil, err
	}
	if problem != "" {
		return nil, fmt.Errorf("go on with record %s: %s; what is in one record is of one program and one machine", path, problem)
	}
	return u, nil
}

// UnfinishedIn opens the record in a folder of which most cases are done, of those whose run was asked the
// same and can go on here, and where sameID asks for it had the same id; nil if there is none.
func UnfinishedIn(folder string, p *epperfv1.Plan, sameID bool) (*record.Unfinished, error) {
	names, err := filepath.Glob(filepath.Join(escaped(folder), "*.epperf*"))
	if err != nil {
		return nil, fmt.Errorf("look for unfinished records: %w", err)
	}
	slices.Sort(names)                                                             // they begin with the time
	here := sync.OnceValues(func() (*epperfv1.Host, error) { return thisHost(p) }) // looks for GPUs
	var best *record.Unfinished
	for _, name := range slices.Backward(names) {
		if !record.IsOf(name, plan.Hash(p)) {
			continue
		}
		u, err := record.OpenUnfinished(name)
		if err != nil {
			continue
		}
		other := sameID && u.Header.GetPlan().GetRunId() != p.GetRunId()
		if problem, err := cannotContinue(u, here); err != nil || problem != "" || other || u.Done == 0 || best != nil && best.Done >= u.Done {
			u.Close()
			continue
		}
		if best != nil {
			best.Close()
		}
		best = u
	}
	return best, nil
}

// cannotContinue says what keeps this program from going on with a record on the host that here describes,
// its first; "" if nothing.
func cannotContinue(u *record.Unfinished, here func() (*epperfv1.Host, error)) (problem string, err error) {
	build, err := buildID()
	if err != nil {
		return "", err
	}
	if u.Header.GetBuildId() != build {
		return "another build of perf began it", nil
	}
	p := u.Header.GetPlan()
	if err := plan.Validate(p); err != nil {
		return err.Error(), nil
	}
	if !bytes.Equal(plan.Hash(p), u.Header.GetPlanSha256()) {
		return "its plan is not the one that it was begun with", nil
	}
	this, err := here()
	if err != nil {
		return "", err
	}
	if hosts := u.Header.GetHosts(); len(hosts) == 0 || !host.Comparable(hosts[0], this) {
		return "another machine began it, or this one has other CPUs or GPUs now", nil
	}
	return "", nil
}

// thisHost describes this machine, with the GPUs that a plan's ranks would use.
func thisHost(p *epperfv1.Plan) (*epperfv1.Host, error) {
	system, err := host.This()
	if err != nil {
		return nil, err
	}
	this := system.Describe()
	this.Gpus, err = preflight.GPUsOf(p)
	return this, err
}
