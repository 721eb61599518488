package main

import (
	"strings"
	"testing"
)

func TestCopies(t *testing.T) {
	for name, test := range map[string]struct {
		environment string
		run, here   string // what is said to start instead; "" where it is no copy
	}{
		"by hand":            {"", "", ""},
		"srun -n2":           {"SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=2 SLURM_NTASKS=2 SLURM_STEP_TASKS_PER_NODE=2", "srun --ntasks=1", "srun --ntasks=1"},
		"srun -n1 of two":    {"SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=2", "", ""},
		"an older srun":      {"SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=2", "srun --ntasks=1", "srun --ntasks=1"},
		"one per host":       {"SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_TASKS_PER_NODE=1(x2)", "srun --ntasks=1", ""},
		"several per host":   {"SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=5 SLURM_STEP_TASKS_PER_NODE=2(x2),1", "srun --ntasks=1", "srun --ntasks=1"},
		"a script of sbatch": {"SLURM_JOB_ID=7 SLURM_NTASKS=8", "", ""},
		"no job":             {"SLURM_NTASKS=2", "srun --ntasks=1", "srun --ntasks=1"},
		"Open MPI":           {"OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=2", "mpirun -np 1", "mpirun -np 1"},
		"Open MPI, one":      {"OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_LOCAL_SIZE=1", "", ""},
		"MPICH":              {"PMI_SIZE=2", "mpiexec -n 1", "mpiexec -n 1"},
		"torchrun":           {"WORLD_SIZE=16 LOCAL_WORLD_SIZE=1", "env -u WORLD_SIZE", ""},
		"no number":          {"WORLD_SIZE=many PMI_SIZE=-3", "", ""},
	} {
		environment := map[string]string{}
		for _, variable := range strings.Fields(test.environment) {
			key, value, _ := strings.Cut(variable, "=")
			environment[key] = value
		}
		of := func(name string) string { return environment[name] }
		s, copies := copiesOf(of, func(s starter) string { return s.all })
		if s.once != test.run || (copies > 1) != (test.run != "") {
			t.Errorf("%s: a run is one of %d copies; try %q, want %q", name, copies, s.once, test.run)
		}
		if err := refuseCopiesHere(of); (err != nil) != (test.here != "") || err != nil && !strings.Contains(err.Error(), ": start one, "+test.here+" perf calibrate") {
			t.Errorf("%s: a calibration: %v, want %q", name, err, test.here)
		}
	}
}
