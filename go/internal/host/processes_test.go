package host_test

import (
	"math"
	"testing"
)

func TestProcessesLeftAreTheNarrowestLimit(t *testing.T) {
	user := map[string]string{
		"proc/self/status": "Name:\tperf\nUid:\t7\t7\t7\t7\nThreads:\t3\nCapEff:\t0000000000000000\n",
		"proc/11/status":   "Uid:\t7\t7\t7\t7\nThreads:\t3\n",
		"proc/12/status":   "Uid:\t7\t0\t0\t0\nThreads:\t20\n", // set-user-id
		"proc/13/status":   "Uid:\t8\t7\t7\t7\nThreads:\t400\n",
	}
	for name, test := range map[string]struct {
		files    map[string]string
		limit    uint64
		wantLeft uint64
		wantBy   string
	}{
		"no limit": {nil, math.MaxUint64, 0, ""},
		"a parent's cgroup": {map[string]string{
			"proc/self/cgroup":         "0::/a/b\n",
			"sys/fs/cgroup/a/pids.max": "50\n", "sys/fs/cgroup/a/pids.current": "40\n",
			"sys/fs/cgroup/a/b/pids.max": "max\n", "sys/fs/cgroup/a/b/pids.current": "1\n",
		}, math.MaxUint64, 10, "pids.max of cgroup /a"},
		"version 1, full": {map[string]string{
			"proc/self/cgroup":              "8:pids:/x\n",
			"sys/fs/cgroup/pids/x/pids.max": "5\n", "sys/fs/cgroup/pids/x/pids.current": "6\n",
		}, math.MaxUint64, 0, "pids.max of cgroup /pids/x"},
		"the user's": {user, 100, 77, "the user's limit (ulimit -u)"},
		"root":       {map[string]string{"proc/self/status": "Uid:\t0\t0\t0\t0\n"}, 1, 0, ""},
		"a capability": {map[string]string{
			"proc/self/status": "Uid:\t7\t7\t7\t7\nCapEff:\t0000000001000000\n",
		}, 1, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			system := machine(t, test.files)
			system.UserProcesses = test.limit
			got, ok := system.ProcessesLeft()
			if got.Left != test.wantLeft || got.By != test.wantBy || ok != (test.wantBy != "") {
				t.Errorf("%+v, %t; want %d by %q", got, ok, test.wantLeft, test.wantBy)
			}
		})
	}
}
