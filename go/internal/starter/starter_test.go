package starter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/epperf/epperf/go/internal/starter"
)

// of returns an environment of NAME=value with blanks between.
func of(text string) func(string) string {
	environment := map[string]string{}
	for _, variable := range strings.Fields(text) {
		key, value, _ := strings.Cut(variable, "=")
		environment[key] = value
	}
	return func(name string) string { return environment[name] }
}

const (
	job = "SLURM_JOB_ID=7 SLURM_NODEID=1 SLURM_NTASKS=9 "
	// What srun of Slurm 22.05 sets in task 3 of srun -N2 -n4.
	step = job + "SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=3 SLURM_LOCALID=0 SLURM_STEP_TASKS_PER_NODE=3,1 SLURM_STEP_NODELIST=n[1-2] "
	// What Open MPI 4.1 and MPICH 4.0 set in rank 1 of two.
	openMPI = "OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_NAMESPACE=1303314433 PMIX_RANK=1 "
	mpich   = "PMI_SIZE=2 PMI_RANK=1 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=1 "
	torch   = "WORLD_SIZE=16 RANK=9 MASTER_ADDR=a MASTER_PORT=29500 "
)

func TestWhatStartersSay(t *testing.T) {
	for name, test := range map[string]struct {
		environment string
		want        *starter.Copy
	}{
		"by hand":                {"HOSTNAME=n-1 MASTER_ADDR=a", nil},
		"a script of sbatch":     {job + "SLURM_PROCID=0", nil},
		"srun, several per host": {step, &starter.Copy{By: "slurm", Size: 4, Rank: 3, OnHost: 3, EachARank: true, First: "n1", RunID: "7.0"}},
		"srun, one per host": {
			strings.Replace(step, "=3,1", "=1(x4)", 1),
			&starter.Copy{By: "slurm", Size: 4, Rank: 3, OnHost: 1, First: "n1", RunID: "7.0"},
		},
		"srun, one host": {
			"SLURM_JOB_ID=7 SLURM_STEP_ID=2 SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=5 SLURM_LOCALID=5 SLURM_STEP_TASKS_PER_NODE=8 SLURM_STEP_NODELIST=r[01-03]n[7,9]",
			&starter.Copy{By: "slurm", Size: 8, Rank: 5, OnHost: 8, Local: 5, OneHost: true, EachARank: true, First: "r01n7", RunID: "7.2"},
		},
		"an older srun":        {job + "SLURM_STEP_ID=0 SLURM_PROCID=2", &starter.Copy{By: "slurm", Size: 9, Rank: 2, RunID: "7.0"}},
		"srun does not say":    {"SLURM_NTASKS=2", &starter.Copy{By: "slurm", Size: 2, Rank: -1}},
		"Open MPI":             {openMPI, &starter.Copy{By: "openmpi", Size: 2, Rank: 1, OnHost: 2, Local: 1, OneHost: true, EachARank: true, RunID: "1303314433"}},
		"Open MPI under Slurm": {step + openMPI, &starter.Copy{By: "openmpi", Size: 2, Rank: 1, OnHost: 2, Local: 1, OneHost: true, EachARank: true, RunID: "1303314433"}},
		"Open MPI, one per host": {
			"OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=1 OMPI_COMM_WORLD_LOCAL_RANK=0",
			&starter.Copy{By: "openmpi", Size: 2, OnHost: 1},
		},
		"MPICH":               {mpich, &starter.Copy{By: "pmi", Size: 2, Rank: 1, OnHost: 2, Local: 1, OneHost: true, EachARank: true}},
		"MPICH under Slurm":   {step + mpich, &starter.Copy{By: "pmi", Size: 2, Rank: 1, OnHost: 2, Local: 1, OneHost: true, EachARank: true}},
		"srun with PMI":       {step + "PMI_SIZE=4 PMI_RANK=3", &starter.Copy{By: "slurm", Size: 4, Rank: 3, OnHost: 3, EachARank: true, First: "n1", RunID: "7.0"}},
		"PMIx alone":          {"PMIX_RANK=2 PMIX_NAMESPACE=prterun-a-12@1", &starter.Copy{By: "pmix", Rank: 2, EachARank: true, RunID: "prterun-a-12-1"}},
		"torchrun":            {torch + "LOCAL_WORLD_SIZE=8 LOCAL_RANK=1 TORCHELASTIC_RUN_ID=none", &starter.Copy{By: "torchrun", Size: 16, Rank: 9, OnHost: 8, Local: 1, EachARank: true, First: "a"}},
		"processes, as torch": {torch + "LOCAL_RANK=1", &starter.Copy{By: "torchrun", Size: 16, Rank: 9, Local: 1, EachARank: true, First: "a"}},
		"hosts, as torch":     {torch, &starter.Copy{By: "torch-nodes", Size: 16, Rank: 9, OnHost: 1, First: "a", Port: 29500}},
		"an Indexed Job":      {"JOB_COMPLETION_INDEX=3 HOSTNAME=moe-test-3", &starter.Copy{By: "kubernetes", Rank: 3, OnHost: 1, RunID: "moe-test"}},
		"no numbers":          {"WORLD_SIZE=many RANK=0 PMI_SIZE=-3 PMI_RANK=0 JOB_COMPLETION_INDEX=", nil},
		"a size without rank": {"WORLD_SIZE=16 MASTER_ADDR=a " + step, &starter.Copy{By: "slurm", Size: 4, Rank: 3, OnHost: 3, EachARank: true, First: "n1", RunID: "7.0"}},
	} {
		got, err := starter.Find(of(test.environment), starter.Automatic)
		if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(starter.Copy{}, "Said")); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestOneOfSeveralStartersIsNamed(t *testing.T) {
	environment := of(step + torch + "JOB_COMPLETION_INDEX=1")
	for by, want := range map[string]int{"slurm": 4, "torch-nodes": 16, "kubernetes": 0} {
		if got, err := starter.Find(environment, by); err != nil || got.By != by || got.Size != want {
			t.Errorf("%s: %+v, %v", by, got, err)
		}
	}
	if got, err := starter.Find(environment, starter.None); got != nil || err != nil {
		t.Errorf("none: %+v, %v", got, err)
	}
	for by, environment := range map[string]string{"openmpi": step, "torchrun": torch, starter.Automatic: "WORLD_SIZE=2 RANK=2"} {
		var wrong *starter.Error
		if got, err := starter.Find(of(environment), by); !errors.As(err, &wrong) {
			t.Errorf("%s in %q: %+v, %v", by, environment, got, err)
		}
	}
}

func TestWhatIsReadIsSaid(t *testing.T) {
	got, err := starter.Find(of(torch), starter.Automatic)
	want := []string{"WORLD_SIZE=16", "RANK=9", "MASTER_ADDR=a", "MASTER_PORT=29500"}
	if err != nil || !slices.Equal(got.Said, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Where all see all GPUs, each takes its own; where each sees its own, it keeps them.
func TestCopiesTakeGPUsOfTheirOwn(t *testing.T) {
	for name, test := range map[string]struct {
		copy    *starter.Copy
		visible string
		each    int
		want    string
	}{
		"one of each":       {&starter.Copy{OnHost: 4, Local: 2}, "0 1 2 3", 1, "2"},
		"two of each":       {&starter.Copy{OnHost: 2, Local: 1}, "GPU-a GPU-b GPU-c GPU-d", 2, "GPU-c,GPU-d"},
		"already its own":   {&starter.Copy{OnHost: 4, Local: 2}, "2", 1, ""},
		"too few":           {&starter.Copy{OnHost: 4, Local: 2}, "0 1 2", 1, ""},
		"one copy a host":   {&starter.Copy{OnHost: 1}, "0 1", 1, ""},
		"how many? unknown": {&starter.Copy{Local: 1}, "0 1", 1, ""},
		"by hand":           {nil, "0 1", 1, ""},
	} {
		got, ok := test.copy.GPUs(strings.Fields(test.visible), test.each)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
}
