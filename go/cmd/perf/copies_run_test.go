package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/record"
)

// copies makes programs as something would that starts one several times, with variables of each.
func copies(t *testing.T, count int, variables func(rank int) string, arguments ...string) []*program {
	t.Helper()
	folder := t.TempDir() // of all, as on a shared file system
	programs := make([]*program, count)
	for rank := range programs {
		programs[rank] = newProgram(t, with(arguments, "--output="+folder)...)
		programs[rank].Env = append(programs[rank].Env, strings.Fields(variables(rank))...)
	}
	return programs
}

// oneRun wants that launchers make one run: one table, and one record with all ranks, which it returns.
func oneRun(t *testing.T, programs []*program, ranks int) (all *record.Record) {
	t.Helper()
	for rank := len(programs) - 1; rank >= 0; rank-- { // who serves comes last
		programs[rank].start(t)
	}
	for rank, p := range programs {
		if code := p.end(t); code != 0 {
			t.Errorf("copy %d: exit code %d: %s", rank, code, &p.stderr)
		}
		if table := strings.Contains(p.stdout.String(), fmt.Sprintf("%d/%d ranks passed", ranks, ranks)); table != (rank == 0) {
			t.Errorf("copy %d prints:\n%s", rank, &p.stdout)
		}
	}
	folder := strings.TrimPrefix(programs[0].Args[len(programs[0].Args)-1], "--output=")
	left, _ := os.ReadDir(folder)
	whole := 0
	for _, file := range left {
		if strings.Contains(file.Name(), "-node") {
			continue
		}
		kept, err := record.Read(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		whole, all = whole+1, kept
		for rank := range ranks {
			if !kept.Rank(0, rank).Result.GetPassed() {
				t.Errorf("the record lacks rank %d", rank)
			}
		}
	}
	if whole != 1 || len(left) != len(programs) {
		t.Errorf("left: %v; want a record and %d parts", left, len(programs)-1)
	}
	return all
}

func TestCopiesMakeOneRun(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for starter, test := range map[string]struct {
		variables     func(rank int) string
		arguments     []string
		copies, ranks int
	}{
		"a rank each, as srun": {func(rank int) string {
			return fmt.Sprintf("SLURM_JOB_ID=%d SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=%d SLURM_LOCALID=%d SLURM_STEP_TASKS_PER_NODE=3", os.Getpid(), rank, rank)
		}, nil, 3, 3},
		// TLS, by certificates of this run alone.
		"a host each, by name": {func(rank int) string {
			return fmt.Sprintf("WORLD_SIZE=2 RANK=%d MASTER_ADDR=%s", rank, name)
		}, []string{"--num-processes=2", fmt.Sprintf("--run-id=named-%d", os.Getpid())}, 2, 4},
		"an Indexed Job": {func(rank int) string {
			return fmt.Sprintf("JOB_COMPLETION_INDEX=%d HOSTNAME=job-%d-%d", rank, os.Getpid(), rank)
		}, []string{"--nnodes=2", "--num-processes=1", "--master-addr=localhost"}, 2, 2},
	} {
		t.Run(starter, func(t *testing.T) {
			t.Parallel()
			programs := copies(t, test.copies, test.variables, with(small, test.arguments...)...)
			oneRun(t, programs, test.ranks)
			for rank, p := range programs {
				if says := strings.HasPrefix(p.stderr.String(), "perf: ") && strings.Count(p.stderr.String(), "\n") == 1; says != (rank == 0) || rank > 0 && p.stderr.Len() > 0 {
					t.Errorf("copy %d says %q", rank, &p.stderr)
				}
				p.keepsNoSecret(t)
			}
		})
	}
}

// A real mpirun of Open MPI, which Debian has: what it starts is one run, and ends with one of its copies.
func TestMpirun(t *testing.T) {
	long(t)
	mpirun, err := exec.LookPath("mpirun")
	if said, _ := exec.Command("mpirun", "--version").Output(); err != nil || !strings.Contains(string(said), "Open MPI") {
		t.Skip("skipped: no mpirun of Open MPI; Debian has it in openmpi-bin")
	}
	under := func(t *testing.T, count int, arguments ...string) *program {
		p := newProgram(t, arguments...)
		p.Args = append([]string{"mpirun", "--allow-run-as-root", "--oversubscribe", "-np", fmt.Sprint(count), p.Path}, p.Args[1:]...)
		p.Path = mpirun
		return p
	}
	for _, count := range []int{2, 4} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			p := under(t, count, small...)
			if code := p.run(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			for _, want := range []string{fmt.Sprintf("openmpi started %d copies", count), fmt.Sprintf("%d/%d ranks passed", count, count)} {
				if strings.Count(p.stdout.String()+p.stderr.String(), want) != 1 {
					t.Errorf("not once %q:\n%s%s", want, &p.stdout, &p.stderr)
				}
			}
			left, _ := filepath.Glob(filepath.Join(p.folder, "epperf-results", "*"))
			parts, _ := filepath.Glob(filepath.Join(p.folder, "epperf-results", "*-node*"))
			if len(left) != count || len(parts) != count-1 {
				t.Errorf("left %v, want one record and parts", left)
			}
			p.keepsNoSecret(t)
		})
	}
	t.Run("a rank is killed", func(t *testing.T) {
		p := under(t, 2, endless[1:]...)
		p.until(t, "timing")
		own := p.processes(t)
		for victim := range p.ranks(t, 2) {
			syscall.Kill(victim, syscall.SIGKILL)
			break
		}
		<-p.rest
		p.Wait()
		if code := p.ProcessState.ExitCode(); code == 0 || !strings.Contains(p.stderr.String(), "killed by signal 9 (SIGKILL)") {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
		p.tidy(t, own, 5*time.Second+busy)
	})
}

// Node 0 serves the others. Killed, it leaves neither its etcd's folder nor keys, and the others end.
func TestKilledNodeThatServes(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	programs := copies(t, 2, func(rank int) string { return fmt.Sprintf("WORLD_SIZE=2 RANK=%d MASTER_ADDR=%s", rank, name) },
		with(endless, "--num-processes=1", "--wait-timeout=2", fmt.Sprintf("--run-id=killed-%d", os.Getpid()))...)
	allUntil(t, programs, "timing")
	own := programs[0].processes(t)
	killed := time.Now()
	programs[0].Process.Signal(syscall.SIGKILL)
	<-programs[0].rest
	programs[0].Wait()
	programs[0].tidy(t, own, 2*time.Second+busy)
	<-programs[1].rest
	if code := programs[1].end(t); code != 1 {
		t.Errorf("exit code %d: %s", code, &programs[1].stderr)
	}
	within(t, 6*time.Second, time.Since(killed), programs[1].last())
	folder := strings.TrimPrefix(programs[0].Args[len(programs[0].Args)-1], "--output=")
	if left, _ := filepath.Glob(filepath.Join(folder, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestACopyThatIsAloneSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for variables, want := range map[string]string{
		"WORLD_SIZE=2":                      "give each --nnodes=2 and its --node-rank",
		"JOB_COMPLETION_INDEX=0":            "give all of them --nnodes",
		"WORLD_SIZE=2 RANK=2 MASTER_ADDR=a": "there is no number 2 among 2",
		"PMI_SIZE=2 PMI_RANK=1":             "--run-id",
	} {
		for _, arguments := range [][]string{small, {"sweep"}} {
			p := newProgram(t, arguments...)
			p.Env = append(p.Env, strings.Fields(variables)...)
			code := p.run(t)
			if code != 2 || strings.Count(p.stderr.String(), "\n") != 1 || !strings.Contains(p.stderr.String(), want) || p.stdout.Len() > 0 {
				t.Errorf("%s %q: exit code %d, stderr %q, stdout %q", variables, arguments, code, &p.stderr, &p.stdout)
			}
		}
	}
	p := newProgram(t, with(small, "--nnodes=2", "--node-rank=1", "--run-id=r", "--master-addr=127.0.0.1:1", "--timeout=1")...)
	if code := p.run(t); code != 1 || !strings.Contains(p.last(), "is --master-addr where it does?") {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}
