package conduct

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// LimitFor finds the calibration that a detailed run is held against: the one at a path, else the newest
// in a folder; nil where there is none.
func LimitFor(p *epperfv1.Plan, detail bool, path, folder string) (*epperfv1.Limit, error) {
	switch {
	case path != "" && !detail:
		return nil, command.Usagef("--calibration: nothing is compared with it; add --detail")
	case path != "" && !plan.BackendOf(p).Calibrated:
		return nil, command.Usagef("--calibration: a calibration is of mapped memory; try --nvlink-backend=ipc")
	case path != "" && plan.HostCount(p) > 1:
		return nil, command.Usagef("--calibration: a calibration is of one launcher's ranks; try --nnodes=1")
	case path != "" && p.GetThreadsPerRank() > 1:
		return nil, command.Usagef("--calibration: a calibration copies with one thread per rank; try --threads=1")
	case path != "":
		return limitFrom(path, p)
	case detail && plan.BackendOf(p).Calibrated && p.GetThreadsPerRank() <= 1 && plan.HostCount(p) == 1:
		return newestLimit(folder, p)
	}
	return nil, nil
}

// limitFrom reads the calibration in a file that the user names.
func limitFrom(path string, p *epperfv1.Plan) (*epperfv1.Limit, error) {
	kept, err := record.Read(path)
	if err != nil {
		return nil, fmt.Errorf("--calibration: %w", err)
	}
	limit, ok := figures.LimitOf(kept)
	if !ok {
		return nil, command.Usagef("--calibration=%s: not a calibration that passed; perf calibrate makes one", path)
	}
	if device := kept.Header.GetPlan().GetDevice(); device != p.GetDevice() {
		return nil, command.Usagef("--calibration=%s: of device %s, this run is on %s; perf calibrate --device=%s makes one",
			path, epperfv1.Name(device), epperfv1.Name(p.GetDevice()), epperfv1.Name(p.GetDevice()))
	}
	if ranks := limit.GetCase().GetRanks(); ranks != p.GetRanksPerHost() {
		return nil, command.Usagef("--calibration=%s: of %d ranks, this run has %d on a host; perf calibrate --num-processes=%d makes one",
			path, ranks, p.GetRanksPerHost(), p.GetRanksPerHost())
	}
	return limit, nil
}

// newestLimit returns what the newest calibration in a folder says of this machine with as many
// ranks as the plan has; nil if there is none. Files that are no such thing are passed over.
func newestLimit(folder string, p *epperfv1.Plan) (*epperfv1.Limit, error) {
	names, err := filepath.Glob(filepath.Join(escaped(folder), "*-"+epperfv1.Calibrate+"-*.epperf"))
	if err != nil {
		return nil, fmt.Errorf("look for calibrations: %w", err)
	}
	slices.Sort(names) // they begin with the time
	this, err := thisHost(p)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
		kept, err := record.Read(name)
		if err != nil || kept.Header.GetPlan().GetDevice() != p.GetDevice() || len(kept.Header.GetHosts()) != 1 || !host.Comparable(kept.Header.GetHosts()[0], this) {
			continue
		}
		if limit, ok := figures.LimitOf(kept); ok && limit.GetCase().GetRanks() == p.GetRanksPerHost() {
			return limit, nil
		}
	}
	return nil, nil
}

// escaped keeps a folder's name from being a pattern.
func escaped(folder string) string {
	var name []rune
	for _, r := range folder {
		if slices.Contains([]rune(`*?[\`), r) {
			name = append(name, '\\')
		}
		name = append(name, r)
	}
	return string(name)
}
