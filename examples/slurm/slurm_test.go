// Package slurm_test runs the script for sbatch on a real Slurm, which Debian has.
package slurm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A real Slurm: four nodes on this host. One task per node starts a host's ranks, several are a rank each.
func TestSlurm(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, program := range []string{"slurmctld", "slurmd", "munged", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("skipped: %v; Debian has it in slurm-wlm, munge, util-linux or iproute2", err)
		}
	}
	if err := exec.Command("unshare", "--net", "--uts", "--mount", "--pid", "--fork", "true").Run(); err != nil {
		t.Skipf("skipped: this user may not make namespaces: %v", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	perf, err := filepath.Abs(filepath.Join("../..", os.Getenv("PERF")))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		sbatch, flags []string
		ranks         string
	}{
		"a host each":           {[]string{"--nodes=4"}, []string{"--num-processes=2"}, "8/8"},
		"a rank each":           {[]string{"--nodes=2", "--ntasks-per-node=3"}, nil, "6/6"},
		"a rank each, one host": {[]string{"--nodes=1", "--ntasks-per-node=4"}, nil, "4/4"},
	} {
		t.Run(name, func(t *testing.T) {
			// Munge wants folders that nobody else writes, all the way up, and a socket's name is short.
			folder, err := os.MkdirTemp("/tmp", "slurm-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(folder) })
			arguments := append([]string{folder, "4", "sbatch", "--wait", "--output=out"}, test.sbatch...)
			arguments = append(append(arguments, filepath.Join(here, "run.sbatch")), test.flags...)
			arguments = append(arguments, "--tokens=16", "--hidden=128", "--experts-per-rank=2", "--warmup=1", "--iters=3", "--device=cpu")
			run := exec.Command(filepath.Join(here, "testdata", "cluster.sh"), arguments...)
			run.Dir, run.Env = folder, append(os.Environ(), "BUILD_WORKING_DIRECTORY=", "PERF="+perf)
			said, err := run.CombinedOutput()
			out, _ := os.ReadFile(filepath.Join(folder, "out"))
			t.Logf("%s", out)
			if err != nil || strings.Count(string(out), test.ranks+" ranks passed") != 1 || strings.Count(string(out), "slurm started") != 1 {
				t.Errorf("%v: %s", err, said)
			}
			records, _ := os.ReadDir(filepath.Join(folder, "epperf-results"))
			whole := 0
			for _, file := range records {
				if !strings.Contains(file.Name(), "-node") {
					whole++
				}
			}
			if whole != 1 {
				t.Errorf("left: %v, want one record and parts", records)
			}
		})
	}
}
