package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ProcessesLeft returns how many more processes and threads this process and its children may start, or
// false where nothing limits them.
func (s System) ProcessesLeft() (Limit, bool) {
	var limits []Limit
	for _, group := range s.Cgroups("pids") {
		limit, used := s.count(group+"/pids.max"), s.count(group+"/pids.current")
		if limit != nil && used != nil { // else "max"
			limits = append(limits, Limit{*limit - min(*used, *limit), "pids.max of cgroup " + strings.TrimPrefix(group, "sys/fs/cgroup")})
		}
	}
	if s.UserProcesses != unix.RLIM_INFINITY && !s.outranksLimits() {
		limits = append(limits, Limit{s.UserProcesses - min(s.threadsOfUser(), s.UserProcesses), "the user's limit (ulimit -u)"})
	}
	return narrowest(limits)
}

// outranksLimits reports whether the kernel lets this process have more processes than its user may: it
// is root's, or it has CAP_SYS_RESOURCE or CAP_SYS_ADMIN.
func (s System) outranksLimits() bool {
	capabilities, _ := strconv.ParseUint(s.field("proc/self/status", "CapEff"), 16, 64)
	return s.user("self") == "0" || capabilities&(1<<unix.CAP_SYS_RESOURCE|1<<unix.CAP_SYS_ADMIN) != 0
}

// user returns the real user of a process.
func (s System) user(pid string) string {
	user, _, _ := strings.Cut(s.field("proc/"+pid+"/status", "Uid"), "\t")
	return user
}

// threadsOfUser counts what the limit of this process's user counts.
func (s System) threadsOfUser() (threads uint64) {
	own := s.user("self")
	folders, _ := filepath.Glob(filepath.Join(s.Root, "proc/[0-9]*"))
	for _, folder := range folders {
		pid := filepath.Base(folder)
		if s.user(pid) == own {
			n, _ := strconv.ParseUint(s.field("proc/"+pid+"/status", "Threads"), 10, 64) // gone: none
			threads += n
		}
	}
	return threads
}

// limit returns a resource limit of this process; none is RLIM_INFINITY.
func limit(resource int) (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(resource, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return limit.Cur, nil
}
