package host

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file looks at what a process waits for while it measures, and what else its host does.

const (
	// tick is the unit of CPU times in /proc.
	tick = 10 * time.Millisecond
	// mostOthers bounds the processes that a record names.
	mostOthers = 5
)

// A LoadWatch compares counters at its end with those at its beginning. What the machine does not tell
// is absent.
type LoadWatch struct {
	system System
	now    func() time.Time
	others *Others // nil: of this process alone

	began, ended          time.Time // of this process
	ranBefore, ranAfter   *uint64
	waitBefore, waitAfter *uint64

	hostBegan time.Time
	before    hostCounters
}

// Others tells a run's processes from others.
type Others struct {
	// Launcher is the process that started this one, and the run's others on its host.
	Launcher int
	// Launchers: the run has more of them, which are of the same binary.
	Launchers bool
}

// WatchLoad begins to watch the host, unless others is nil; Start then begins with this process.
func (s System) WatchLoad(others *Others, now func() time.Time) *LoadWatch {
	w := &LoadWatch{system: s, now: now, others: others, hostBegan: now()}
	if others != nil {
		w.before = s.hostCounters()
	}
	return w
}

// Start and Stop enclose what this process does. They take some microseconds a thread.
func (w *LoadWatch) Start() {
	w.ranBefore, w.waitBefore = w.system.scheduled()
	w.began = w.now()
}

// Stop ends what Start began.
func (w *LoadWatch) Stop() {
	w.ended = w.now()
	w.ranAfter, w.waitAfter = w.system.scheduled()
}

// Load ends the watch, and returns what was seen.
func (w *LoadWatch) Load() *epperfv1.Load {
	load := &epperfv1.Load{
		WindowNs: uint64(w.ended.Sub(w.began)),
		RanNs:    since(w.ranBefore, w.ranAfter), WaitedNs: since(w.waitBefore, w.waitAfter),
	}
	if w.others != nil {
		load.Host = w.hostLoad()
	}
	return load
}

func (w *LoadWatch) hostLoad() *epperfv1.HostLoad {
	after := w.system.hostCounters()
	load := &epperfv1.HostLoad{
		WindowNs: uint64(w.now().Sub(w.hostBegan)), Cpus: uint32(len(w.system.CPUs)),
		StolenNs: since(w.before.stolen, after.stolen), PressureNs: since(w.before.pressure, after.pressure),
	}
	for group, held := range after.held {
		if before, there := w.before.held[group]; there && held >= before {
			load.ThrottledNs = new(max(load.GetThrottledNs(), held-before))
		}
	}
	for id, process := range after.processes {
		used := process.ticks - min(w.before.processes[id].ticks, process.ticks)
		if used == 0 || w.ours(id.pid, process) {
			continue
		}
		load.Others = append(load.Others, &epperfv1.Process{Pid: uint32(id.pid), Name: process.name, CpuNs: used * uint64(tick)})
	}
	slices.SortFunc(load.Others, func(a, b *epperfv1.Process) int {
		return cmp.Or(cmp.Compare(b.GetCpuNs(), a.GetCpuNs()), cmp.Compare(a.GetPid(), b.GetPid()))
	})
	load.Others = load.Others[:min(len(load.Others), mostOthers)]
	return load
}

// ours reports whether a process is of the run.
func (w *LoadWatch) ours(pid int, of process) bool {
	if pid == w.others.Launcher || of.parent == w.others.Launcher {
		return true
	}
	own := w.system.binary("self")
	return w.others.Launchers && own != "" && own == w.system.binary(strconv.Itoa(pid))
}

func (s System) binary(pid string) string {
	name, _ := os.Readlink(filepath.Join(s.Root, "proc", pid, "exe"))
	return name
}

// since returns by how much a counter grew; nil where it is not told.
func since(before, after *uint64) *uint64 {
	if before == nil || after == nil || *after < *before {
		return nil
	}
	return new(*after - *before)
}

// scheduled returns how long this process's threads ran, and how long they could have but had no CPU.
func (s System) scheduled() (ran, waited *uint64) {
	files, _ := filepath.Glob(filepath.Join(s.Root, "proc/self/task/[0-9]*/schedstat"))
	for _, file := range files {
		text, _ := os.ReadFile(file) // gone: none
		counts := strings.Fields(string(text))
		if len(counts) < 2 {
			continue
		}
		if ran == nil {
			ran, waited = new(uint64), new(uint64)
		}
		for i, to := range []*uint64{ran, waited} {
			n, _ := strconv.ParseUint(counts[i], 10, 64)
			*to += n
		}
	}
	return ran, waited
}

// hostCounters have grown since the host started.
type hostCounters struct {
	stolen    *uint64           // by a hypervisor, of the CPUs that this process may use together
	pressure  *uint64           // some process waited for a CPU
	held      map[string]uint64 // by cgroup: its processes waited because they had used up its CPU time
	processes map[processID]process
}

// A processID is not that of a later process with the same number.
type processID struct {
	pid   int
	start string
}

type process struct {
	name   string
	parent int
	ticks  uint64 // of CPU time
}

func (s System) hostCounters() hostCounters {
	c := hostCounters{stolen: s.stolen(), held: map[string]uint64{}, processes: map[processID]process{}}
	if _, total, found := strings.Cut(s.line("proc/pressure/cpu"), "total="); found { // of the first line, "some"
		total, _, _ = strings.Cut(total, "\n")
		if microseconds, err := strconv.ParseUint(total, 10, 64); err == nil {
			c.pressure = new(microseconds * 1e3)
		}
	}
	for _, group := range s.Cgroups("cpu") {
		file := group + "/cpu.stat"
		c.held[group] = s.stat(file, "throttled_usec")*1e3 + s.stat(file, "throttled_time") // version 2 or 1
	}
	folders, _ := filepath.Glob(filepath.Join(s.Root, "proc/[0-9]*"))
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		stat := s.line("proc/" + filepath.Base(folder) + "/stat")
		// pid (name) state parent …: the name may have spaces and parentheses.
		open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
		if open < 0 || end < open {
			continue // gone
		}
		const parent, user, system, start = 1, 11, 12, 19 // of what follows the name
		fields := strings.Fields(stat[end+1:])
		if len(fields) <= start {
			continue
		}
		of := process{name: stat[open+1 : end]}
		of.parent, _ = strconv.Atoi(fields[parent])
		for _, field := range []int{user, system} {
			n, _ := strconv.ParseUint(fields[field], 10, 64)
			of.ticks += n
		}
		c.processes[processID{pid, fields[start]}] = of
	}
	return c
}

// stolen returns the time that a hypervisor gave to others.
func (s System) stolen() *uint64 {
	const steal = 8 // of cpuN user nice system idle iowait irq softirq steal
	var sum *uint64
	for line := range strings.Lines(s.text("proc/stat")) {
		fields := strings.Fields(line)
		if len(fields) <= steal {
			continue
		}
		cpu, err := strconv.Atoi(strings.TrimPrefix(fields[0], "cpu"))
		if err != nil || !slices.Contains(s.CPUs, cpu) {
			continue
		}
		ticks, _ := strconv.ParseUint(fields[steal], 10, 64)
		if sum == nil {
			sum = new(uint64)
		}
		*sum += ticks * uint64(tick)
	}
	return sum
}
