package main_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/host/limittest"
)

// What the machine does not give ends the run with one line that says what to do.
func TestMachineRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		stage     func(*testing.T, *program)
		bound     time.Duration
		code      int
		want      string
		partial   bool // the record stays unfinished
	}{
		"space on the disk": {
			with(small, "--num-processes=4", "--iters=1000", "--output=full"),
			func(t *testing.T, p *program) {
				limittest.Mounting(t, p.Cmd, "mkdir full && mount -t tmpfs -o size=8k tmpfs full")
			},
			3 * time.Second, 1, `write record full/.+\.epperf\.partial: .*no space left on device .*--output`, true,
		},
		"to write there": {
			with(small, "--num-processes=2", "--output=sealed"),
			func(t *testing.T, p *program) {
				limittest.Mounting(t, p.Cmd, "mkdir sealed && mount -t tmpfs -o ro tmpfs sealed")
			},
			time.Second, 1, `create record: open sealed/.+: read-only file system; choose another folder with --output`, false,
		},
		"files": {
			with(small, "--num-processes=8"),
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "nofile=100") },
			time.Second, 2, `8 ranks need 128 open files and the limit is 100; try ulimit -n 128 or fewer --num-processes`, false,
		},
		"processes": {
			with(small, "--num-processes=8"),
			func(t *testing.T, p *program) {
				limittest.Cgroup(t, p.Cmd, "pids", map[string]string{"pids.max": "48"})
			},
			time.Second, 2, `8 ranks need 96 processes and threads, and pids.max of cgroup /.* leaves 4\d; raise it`, false,
		},
		"processes of its user": {
			with(small, "--num-processes=8"),
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "nproc=40") },
			time.Second, 2, `8 ranks need 96 processes and threads, and the user's limit \(ulimit -u\) leaves \d+; raise it`, false,
		},
		"memory for a rank": {
			[]string{"--num-processes=2", "--tokens=8192", "--hidden=8192", "--topk=8", "--iters=2", "--warmup=0"},
			func(t *testing.T, p *program) {
				// The server of a run's own reserves more address space than this.
				p.Args = append(p.Args, "--etcd-endpoints="+coordinator(t).endpoint)
				limittest.Resources(t, p.Cmd, "as=3072000000")
			},
			3 * time.Second, 1, `rank [01] \(pid \d+ on .+\): .*(Cannot allocate memory|out of memory)`, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, test.arguments...)
			test.stage(t, p)
			code := p.run(t)
			within(t, test.bound, time.Since(p.began), p.last())
			if code != test.code || !regexp.MustCompile(`^perf: .*`+test.want).MatchString(p.last()) {
				t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
			if left, _ := filepath.Glob(filepath.Join(p.folder, "*/*.partial")); len(left) > 0 && !test.partial {
				t.Errorf("left %v", left)
			}
			if lines := strings.Count(p.stderr.String(), "\n"); lines != 1 {
				t.Logf("%d lines:\n%s", lines, &p.stderr)
			}
		})
	}
}

// Files that were read lately fill a cgroup's memory, and go where the run needs it. What a calibration
// needs does not depend on the machine: it flushes no caches.
func TestCachedFilesLeaveARunItsMemory(t *testing.T) {
	p := newProgram(t, "calibrate", "--num-processes=2", "--working-set=200", "--iters=2", "--quiet")
	limittest.Shell(p.Cmd, "dd if=/dev/zero of=big bs=1M count=600 2>/dev/null && cat big >/dev/null")
	limittest.Cgroup(t, p.Cmd, "memory", map[string]string{"memory.max": "1073741824"})
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}
