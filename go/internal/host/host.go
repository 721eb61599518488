// Package host finds out what the machine is that a run measures on: what its record says of it,
// and how many CPUs and how much memory ranks may use there.
//
// It reads /proc and /sys and asks the kernel; nothing here waits. It is a package of its own
// because every command that measures or plans a measurement needs the same facts.
package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A System is a machine as its /proc and /sys describe it.
type System struct {
	// Root is the folder that holds proc and sys: "/", but for tests.
	Root string
	// CPUs are the numbers of those that this process may run on.
	CPUs []int
	// OpenFiles, UserProcesses, AddressBytes and FileBytes are resource limits of this process;
	// RLIM_INFINITY is none.
	OpenFiles, UserProcesses, AddressBytes, FileBytes uint64
}

// This returns the machine that this process runs on.
func This() (System, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return System{}, fmt.Errorf("count usable CPUs: %w", err)
	}
	system := System{Root: "/", CPUs: numbers(set)}
	for resource, to := range map[int]*uint64{
		unix.RLIMIT_NOFILE: &system.OpenFiles,
		unix.RLIMIT_NPROC:  &system.UserProcesses,
		unix.RLIMIT_AS:     &system.AddressBytes,
		unix.RLIMIT_FSIZE:  &system.FileBytes,
	} {
		var err error
		if *to, err = limit(resource); err != nil {
			return System{}, fmt.Errorf("read a resource limit: %w", err)
		}
	}
	return system, nil
}

func numbers(set unix.CPUSet) []int {
	cpus := make([]int, 0, set.Count())
	for cpu := 0; len(cpus) < cap(cpus); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// Describe returns the facts of a record. Those that the machine does not tell stay empty.
func (s System) Describe() *epperfv1.Host {
	return &epperfv1.Host{
		Name:           s.line("proc/sys/kernel/hostname"),
		CpuModel:       s.field("proc/cpuinfo", "model name"),
		UsableCpus:     uint32(s.UsableCPUs()),
		Kernel:         s.line("proc/sys/kernel/osrelease"),
		Clocksource:    s.line("sys/devices/system/clocksource/clocksource0/current_clocksource"),
		MemoryBytes:    s.kibibytes("MemTotal"),
		BootId:         s.line("proc/sys/kernel/random/boot_id"),
		UcxEnvironment: settings(os.Environ(), ucx),
		PidNamespace:   s.namespace("pid"),
		Environment:    settings(os.Environ(), recorded),
	}
}

// namespace returns the number of a namespace of this process; nil where it is not told.
func (s System) namespace(kind string) *uint64 {
	name, _ := os.Readlink(filepath.Join(s.Root, "proc/self/ns", kind)) // as pid:[4026531836]
	number, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(name, kind+":["), "]"), 10, 64)
	if err != nil {
		return nil
	}
	return &number
}

// UsableCPUs returns how many CPUs this process and its children may keep busy: those of its
// affinity, or fewer where a cgroup's quota is smaller. Part of a CPU is none, but for the first.
func (s System) UsableCPUs() int {
	usable := len(s.CPUs)
	for _, group := range s.Cgroups("cpu") {
		quota, period, ok := s.quota(group)
		if ok && quota >= 0 && period > 0 {
			usable = min(usable, int(quota/period))
		}
	}
	return max(usable, 1)
}

// quota reads how much CPU time a cgroup gets a period; a negative quota has no limit.
func (s System) quota(group string) (quota, period int64, ok bool) {
	if limit := strings.Fields(s.line(group + "/cpu.max")); len(limit) == 2 { // version 2
		quota, quotaErr := strconv.ParseInt(limit[0], 10, 64) // or "max"
		period, periodErr := strconv.ParseInt(limit[1], 10, 64)
		return quota, period, quotaErr == nil && periodErr == nil
	}
	quota, quotaErr := strconv.ParseInt(s.line(group+"/cpu.cfs_quota_us"), 10, 64)
	period, periodErr := strconv.ParseInt(s.line(group+"/cpu.cfs_period_us"), 10, 64)
	return quota, period, quotaErr == nil && periodErr == nil
}

func (s System) text(name string) string {
	text, err := os.ReadFile(filepath.Join(s.Root, name))
	if err != nil {
		return "" // a fact that this machine does not tell
	}
	return string(text)
}

func (s System) line(name string) string { return strings.TrimSpace(s.text(name)) }

// count reads a file that holds a number; nil where it does not.
func (s System) count(name string) *uint64 {
	n, err := strconv.ParseUint(s.line(name), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// field returns what follows the first "name:" of a file.
func (s System) field(name, field string) string {
	for line := range strings.Lines(s.text(name)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kibibytes returns a field of /proc/meminfo in bytes; 0 where it is not told.
func (s System) kibibytes(field string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSuffix(s.field("proc/meminfo", field), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// ucx decides how UCX moves bytes.
var ucx = []string{"UCX_"}

// recorded are the other variables that libraries of ours read by themselves and that a user may have
// set for good reason: a name, or the beginning of several.
var recorded = []string{
	"CUDA_", "NVIDIA_", "NIXL_", "MALLOC_", "GLIBC_TUNABLES=", "LD_",
	"GOTRACEBACK=",
}

// settings picks the variables that begin in one of some ways.
func settings(environment, beginnings []string) []string {
	var picked []string
	for _, variable := range environment {
		if slices.ContainsFunc(beginnings, func(beginning string) bool { return strings.HasPrefix(variable, beginning) }) {
			picked = append(picked, variable)
		}
	}
	slices.Sort(picked)
	return picked
}
