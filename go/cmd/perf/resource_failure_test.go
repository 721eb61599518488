package main_test

import (
	"fmt"
	"os"
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
			with(small, "--num-processes=2", "--iters=1000", "--output=full"),
			func(t *testing.T, p *program) {
				limittest.Mounting(t, p.Cmd, "mkdir full && mount -t tmpfs -o size=4k tmpfs full")
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
		"room for etcd": {
			with(small, "--num-processes=2"),
			func(t *testing.T, p *program) {
				limittest.Mounting(t, p.Cmd, "mount -t tmpfs -o size=4m tmpfs $TMPDIR && mount -t tmpfs -o size=1m tmpfs /dev/shm")
			},
			time.Second, 1, `etcd needs 8.0 MiB and 32 files for its data: TMPDIR=/.* has 4.0 MiB free; /dev/shm has 1.0 MiB free; ` +
				`free some there, or set TMPDIR to another folder`, false,
		},
		"files of its own for etcd": {
			with(small, "--num-processes=2"),
			func(t *testing.T, p *program) {
				limittest.Mounting(t, p.Cmd, "mount -t tmpfs -o nr_inodes=9 tmpfs $TMPDIR && mount -t tmpfs -o ro tmpfs /dev/shm")
			},
			time.Second, 1, `etcd needs 8.0 MiB and 32 files for its data: TMPDIR=/.* has room for 8 files; /dev/shm is not to be written to: read-only`, false,
		},
		"large files": {
			with(small, "--num-processes=2"),
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "fsize=100000") },
			time.Second, 2, `e2e/t16/k2 needs files of 4.0 MiB, and the limit is 0.1 MiB; try ulimit -f 4096`, false,
		},
		"addresses": {
			[]string{"--num-processes=2", "--tokens=8192", "--hidden=8192", "--topk=8", "--iters=2", "--warmup=0"},
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "as=3072000000") },
			time.Second, 2, `e2e/t8192/k8 needs \d.\d GiB of address space for each rank, and the limit is 2.9 GiB; try ulimit -v \d+, or fewer`, false,
		},
		"addresses for a process": {
			with(small, "--num-processes=2"),
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "as=500000000") },
			time.Second, 2, `the limit of address space is 488281 KiB, and a process needs 2097152; try ulimit -v 2097152`, false,
		},
		"data for a process": {
			with(small, "--num-processes=2"),
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "data=100000000") },
			time.Second, 2, `the limit of data is 97656 KiB, and a process needs 262144; try ulimit -d 262144`, false,
		},
		"threads for a process": {
			with(small, "--num-processes=2"),
			func(t *testing.T, p *program) {
				limittest.Cgroup(t, p.Cmd, "pids", map[string]string{"pids.max": "1"})
			},
			time.Second, 2, `a process needs 7 threads, and this machine starts 1; look at pids.max of its cgroup and at ulimit -u, and raise it`, false,
		},
		"memory for a rank": {
			[]string{"--num-processes=2", "--tokens=8192", "--hidden=8192", "--topk=8", "--iters=2", "--warmup=0"},
			func(t *testing.T, p *program) { limittest.Resources(t, p.Cmd, "data=1536000000") },
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

// Where the temporary folder has no room for etcd's data, shared memory has, and where it has, there is
// no word. A panic of etcd's would be on stderr as well.
func TestARunTakesLittleOfItsMachine(t *testing.T) {
	for name, test := range map[string]struct {
		stage func(*testing.T, *program)
		want  string // on stderr
	}{
		"a small temporary folder": {func(t *testing.T, p *program) {
			limittest.Mounting(t, p.Cmd, "mount -t tmpfs -o size=8m tmpfs $TMPDIR")
		}, `^$`},
		"no temporary folder": {func(t *testing.T, p *program) {
			limittest.Mounting(t, p.Cmd, "mount -t tmpfs tmpfs /dev/shm && export TMPDIR=$TMPDIR/none")
		}, `^perf: etcd's data \(8.0 MiB, 32 files\) are in /dev/shm: TMPDIR=/.*/none is not to be used: no such file or directory\n$`},
		"a full temporary folder": {func(t *testing.T, p *program) {
			limittest.Mounting(t, p.Cmd, "mount -t tmpfs -o size=4m tmpfs $TMPDIR && mount -t tmpfs tmpfs /dev/shm")
		}, `^perf: etcd's data \(8.0 MiB, 32 files\) are in /dev/shm: TMPDIR=/.* has 4.0 MiB free\n$`},
		"6 GB of addresses": {func(t *testing.T, p *program) {
			limittest.Resources(t, p.Cmd, "as=6000000000")
		}, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, with(small, "--num-processes=2")...)
			test.stage(t, p)
			if code := p.run(t); code != 0 || !regexp.MustCompile(test.want).MatchString(p.stderr.String()) {
				t.Errorf("exit code %d: %s", code, &p.stderr)
			}
		})
	}
}

// A file that may grow no more ends a command with a line, not with a signal.
func TestAFileReachesItsLimit(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--explain")...)
	out, err := os.Create(filepath.Join(p.folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.Stdout = out
	limittest.Resources(t, p.Cmd, "fsize=100")
	if code := p.run(t); code != 1 || !regexp.MustCompile(`^perf: .*file too large\n$`).MatchString(p.stderr.String()) {
		t.Errorf("exit code %d: %s", code, &p.stderr)
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

// The kernel ends a rank whose cgroup is out of memory. The run names it, and says what the kernel counted.
func TestTheKernelEndsARankForWantOfMemory(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	large := []string{"--num-processes=1", "--tokens=2048", "--hidden=4096", "--nnodes=2", "--run-id=r1", "--etcd-endpoints=" + e.endpoint}
	p := newProgram(t, with(large, "--node-rank=0")...)
	group := limittest.Cgroup(t, p.Cmd, "memory", map[string]string{"memory.max": "8589934592"})
	p.until(t, "ready") // its rank allocates once the other has come
	for victim := range p.ranks(t, 1) {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", victim), []byte("1000"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	limittest.LeaveMemory(t, group, 16<<20)
	other := newProgram(t, with(large, "--node-rank=1")...)
	began := time.Now()
	other.start(t)
	<-p.rest
	code := p.end(t)
	within(t, 3*time.Second, time.Since(began), p.last())
	if code != 1 || !regexp.MustCompile(`rank 0 \(pid \d+ on .+\): killed by signal 9 \(SIGKILL\) .*; meanwhile the kernel killed for want of memory`).MatchString(p.last()) {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
	if code := other.end(t); code != 1 || !strings.Contains(other.last(), "rank 0") {
		t.Errorf("node 1: exit code %d: %s", code, &other.stderr)
	}
	e.untouched(t, time.Second)
}
