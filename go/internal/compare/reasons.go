package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A ReasonKind is what a reader of a verdict has to know.
type ReasonKind string

// The kinds. All but NotInTurns forbid a verdict.
const (
	// TooFew launches to tell anything apart. Launches of each side would do.
	TooFew ReasonKind = "too-few-launches"
	// TooWide: more launches would tell whether there is a change.
	TooWide ReasonKind = "too-wide"
	// OtherPlan: launches were asked for something else, in What.
	OtherPlan ReasonKind = "other-plan"
	// OtherMachine: launches ran on something else, in What.
	OtherMachine ReasonKind = "other-machine"
	// NotPassed: a run failed or did not come to its end.
	NotPassed ReasonKind = "not-passed"
	// Oversubscribed: ranks share CPUs or GPUs.
	Oversubscribed ReasonKind = "oversubscribed"
	// Throttled: a GPU's clocks were lowered.
	Throttled ReasonKind = "throttled"
	// Clocks of GPUs, or What else they tell, differ between the sides.
	Clocks ReasonKind = "clocks"
	// BusyHost: the durations of many launches fall into two groups.
	BusyHost ReasonKind = "busy-host"
	// NotInTurns: all launches of one side came before all of the other, so that what changed on the
	// machine meanwhile looks like a change of the build.
	NotInTurns ReasonKind = "not-in-turns"
)

// A Reason is one of them, with what it is about.
type Reason struct {
	Kind ReasonKind
	// Launches is how many it is about, of both sides; of TooFew how many each side needs.
	Launches int
	// What differs, in a few words; may be empty.
	What string
}

func (r Reason) forbids() bool { return r.Kind != NotInTurns }

// What differs between two sides by more than this is no accident of a launch.
const (
	clockTolerance   = 0.02 // as a part of one
	celsiusTolerance = 10
	// busyShare of a side's launches may have two groups of durations.
	busyShare = 0.25
)

// A launch is what is kept of one record's case: no samples.
type launch struct {
	header  *epperfv1.Header
	summary *figures.Summary
	index   int
	// gpus are what the GPUs of ranks told after the timed block.
	gpus []*epperfv1.GpuState
}

func (l launch) of() *figures.CaseSummary { return &l.summary.Cases[l.index] }
func (l launch) asked() *epperfv1.Case    { return l.header.GetPlan().GetCases()[l.index] }

// A caseSide is one side's launches of a case, with the value of each that has one.
type caseSide struct {
	figure   Figure
	launches []launch
	ns       []float64
}

// Launches are those of one side, by their cases.
type Launches struct {
	figure Figure
	by     map[string]*caseSide
	order  []string
}

// NewLaunches is for launches that will be compared by a figure.
func NewLaunches(figure Figure) *Launches {
	return &Launches{figure: figure, by: map[string]*caseSide{}}
}

// Read adds the record at a path.
func (all *Launches) Read(path string) error {
	kept, err := record.Read(path)
	if err != nil {
		return err
	}
	all.Add(kept)
	return nil
}

// Add takes in all cases of a record that are no soak and no calibration; of a control plane each step, of an elastic run each
// time of each phase. Of the record it keeps no samples: many large ones can be compared one after the other.
func (all *Launches) Add(r *record.Record) {
	summary := figures.Summarize(r)
	for index, c := range r.Header.GetPlan().GetCases() {
		if !c.TimesOperations() && !c.Controls() && c.GetPhase() == nil {
			continue
		}
		kept := launch{header: r.Header, summary: summary, index: index}
		for rank := range int(c.GetRanks()) {
			if told := r.Rank(index, rank).Result.GetGpuAfter(); told != nil {
				kept.gpus = append(kept.gpus, told)
			}
		}
		name := figures.ShapeOf(c).Name()
		if control := summary.Cases[index].Control; control != nil {
			for i := range control.Steps { // each compared by itself
				ns, ok := control.Steps[i].P50NS()
				all.add(name+"/"+control.Steps[i].Name, Step, kept, ns, ok)
			}
			continue
		}
		if phase := summary.Cases[index].Phase; phase != nil {
			for _, time := range phase.Times() {
				all.add(fmt.Sprintf("%s/phase %d/%s", name, phase.Index, time.Name), Phase, kept, float64(time.NS), time.NS > 0)
			}
			continue
		}
		ns, ok := all.figure.of(&summary.Cases[index])
		all.add(name, all.figure, kept, ns, ok)
	}
}

// add puts a launch to others of its name, with its value if it has one.
func (all *Launches) add(name string, figure Figure, kept launch, ns float64, ok bool) {
	side := all.by[name]
	if side == nil {
		side = &caseSide{figure: figure}
		all.by[name] = side
		all.order = append(all.order, name)
	}
	side.launches = append(side.launches, kept)
	if ok {
		side.ns = append(side.ns, ns)
	}
}

// reasons says what speaks against a comparison, or has to be known beside it.
func reasons(before, after *caseSide) []Reason {
	both := slices.Concat(before.launches, after.launches)
	var all []Reason
	count := func(kind ReasonKind, is func(launch) bool) {
		n := 0
		for _, l := range both {
			if is(l) {
				n++
			}
		}
		if n > 0 {
			all = append(all, Reason{Kind: kind, Launches: n})
		}
	}
	count(NotPassed, func(l launch) bool { return !l.summary.Passed() })
	count(Oversubscribed, func(l launch) bool { return l.summary.Oversubscribed })
	count(Throttled, func(l launch) bool { return len(l.of().Throttled) > 0 })
	differs := func(kind ReasonKind, what func(launch) []string) {
		if named := differences(both, what); named != "" {
			all = append(all, Reason{Kind: kind, What: named})
		}
	}
	differs(OtherPlan, planOf)
	differs(OtherMachine, machineOf)
	all = append(all, clocks(before, after)...)
	if busy(before) || busy(after) {
		count(BusyHost, func(l launch) bool { return l.of().Groups != nil })
	}
	if !inTurns(before, after) {
		all = append(all, Reason{Kind: NotInTurns})
	}
	return all
}

// differences names what is not the same in all launches: what gives a list of names and values.
func differences(launches []launch, what func(launch) []string) string {
	first := what(launches[0])
	var named []string
	for _, l := range launches[1:] {
		for i, value := range what(l) {
			name, _, _ := strings.Cut(first[i], "=")
			if value != first[i] && !slices.Contains(named, name) {
				named = append(named, name)
			}
		}
	}
	return strings.Join(named, ", ")
}

// planOf says what was asked for that is not in a case's name.
func planOf(l launch) []string {
	c, p := l.asked(), l.header.GetPlan()
	var passes []string
	for _, pass := range c.GetPasses() {
		passes = append(passes, pass.Label())
	}
	return []string{
		"seed=" + fmt.Sprint(c.GetSeed()),
		"tokens=" + fmt.Sprint(c.GetTokensOfRank()),
		"passes=" + strings.Join(passes, ","),
		"iterations=" + fmt.Sprint(c.Iterations()),
		"phases=" + phasesOf(p),
		"threads=" + fmt.Sprint(max(1, p.GetThreadsPerRank())),
		"ranks per host=" + fmt.Sprint(p.GetRanksPerHost()),
		"backend=" + epperfv1.Name(p.GetNvlinkBackend()),
		"device=" + epperfv1.Name(p.GetDevice()),
	}
}

// phasesOf is what an elastic run was asked for; "" of any other.
func phasesOf(p *epperfv1.Plan) string {
	var all strings.Builder
	for _, c := range p.GetCases() {
		if phase := c.GetPhase(); phase != nil {
			fmt.Fprint(&all, phase.GetRanks(), phase.GetKilled(), phase.GetRecovers())
		}
	}
	return all.String()
}

// machineOf says what a run was on.
func machineOf(l launch) []string {
	var names, cpus, kernels, gpus, drivers, ucx []string
	for _, host := range l.header.GetHosts() {
		names = append(names, host.GetName())
		cpus = append(cpus, fmt.Sprint(host.GetCpuModel(), host.GetUsableCpus()))
		kernels = append(kernels, host.GetKernel())
		ucx = append(ucx, host.GetUcxEnvironment()...)
		for _, gpu := range host.GetGpus() {
			gpus = append(gpus, gpu.GetName())
			drivers = append(drivers, fmt.Sprint(gpu.GetDriverVersion()))
		}
	}
	list := func(name string, values []string) string { return name + "=" + strings.Join(values, "\x00") }
	return []string{
		list("hosts", names), list("CPUs", cpus), list("kernel", kernels), list("GPUs", gpus), list("driver", drivers),
		list("UCX_*", ucx),
	}
}

// clocks compares what GPUs told of themselves after the timed block.
func clocks(before, after *caseSide) []Reason {
	of := func(side *caseSide, get func(*epperfv1.GpuState) *uint32) (values []float64) {
		for _, l := range side.launches {
			for _, told := range l.gpus {
				if value := get(told); value != nil {
					values = append(values, float64(*value))
				}
			}
		}
		slices.Sort(values)
		return values
	}
	var named []string
	for _, told := range []struct {
		name    string
		get     func(*epperfv1.GpuState) *uint32
		differs func(a, b float64) bool
	}{
		{"SM clocks", func(s *epperfv1.GpuState) *uint32 { return s.SmClockMhz }, apart},
		{"memory clocks", func(s *epperfv1.GpuState) *uint32 { return s.MemoryClockMhz }, apart},
		{"temperature", func(s *epperfv1.GpuState) *uint32 { return s.TemperatureC }, func(a, b float64) bool {
			return max(a, b)-min(a, b) > celsiusTolerance
		}},
	} {
		a, b := of(before, told.get), of(after, told.get)
		if len(a) > 0 && len(b) > 0 && told.differs(a[len(a)/2], b[len(b)/2]) {
			named = append(named, told.name)
		}
	}
	if named == nil {
		return nil
	}
	return []Reason{{Kind: Clocks, What: strings.Join(named, ", ")}}
}

func apart(a, b float64) bool { return max(a, b) > (1+clockTolerance)*min(a, b) }

func busy(side *caseSide) bool {
	groups := 0
	for _, l := range side.launches {
		if l.of().Groups != nil {
			groups++
		}
	}
	return float64(groups) > busyShare*float64(len(side.launches))
}

// inTurns reports whether the launches of the sides came one after the other, more or less.
func inTurns(before, after *caseSide) bool {
	span := func(side *caseSide) (first, last int64) {
		for i, l := range side.launches {
			started := l.header.GetStartedUnixNs()
			if i == 0 {
				first, last = started, started
			}
			first, last = min(first, started), max(last, started)
		}
		return first, last
	}
	first, last := span(before)
	otherFirst, otherLast := span(after)
	return first <= otherLast && otherFirst <= last
}
