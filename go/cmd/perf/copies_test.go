package main

import (
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/plan"
)

// of runs a function on the flags of a run, and an environment of NAME=value with blanks between.
func of(arguments, environment string, do func(c *cli.Context, environment func(string) string) error) error {
	values := map[string]string{}
	for _, variable := range strings.Fields(environment) {
		key, value, _ := strings.Cut(variable, "=")
		values[key] = value
	}
	app := &cli.App{Flags: runFlags(), Writer: io.Discard, ErrWriter: io.Discard, Action: func(c *cli.Context) error {
		return do(c, func(name string) string { return values[name] })
	}}
	return app.Run(append([]string{"perf"}, strings.Fields(arguments)...))
}

func TestPlaces(t *testing.T) {
	const (
		srun  = "SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=3 SLURM_STEP_TASKS_PER_NODE=2(x2) SLURM_STEP_NODELIST=n[1-2]"
		hosts = "SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 SLURM_STEP_TASKS_PER_NODE=1(x2) SLURM_STEP_NODELIST=n[1-2]"
		index = "JOB_COMPLETION_INDEX=1 HOSTNAME=moe-1"
	)
	for name, test := range map[string]struct {
		arguments, environment string
		nodes, rank, processes int
		meet, id, wrong        string
	}{
		"by hand":                {"", "", 1, 0, 8, "", "", ""},
		"a rank each":            {"", srun, 4, 3, 1, "n1", "7.0", ""},
		"a rank each, of two":    {"--num-processes=2", srun, 4, 3, 2, "n1", "7.0", ""},
		"a host each":            {"", hosts, 2, 1, 8, "n1", "7.0", ""},
		"a run each":             {"--nnodes=1", srun, 1, 0, 8, "", "7.0", ""},
		"nobody believed":        {"--started-by=none", srun, 1, 0, 8, "", "7.0", ""},
		"flags have it all":      {"--nnodes=2 --node-rank=1 --master-addr=a", srun, 2, 1, 8, "a", "7.0", ""},
		"flags have the number":  {"--nnodes=4", srun, 4, 3, 1, "n1", "7.0", ""},
		"another number":         {"--nnodes=3", srun, 0, 0, 0, "", "", "give --node-rank"},
		"another rank":           {"--node-rank=0", srun, 4, 0, 1, "n1", "7.0", ""},
		"another master":         {"--master-addr=b:1234", srun, 4, 3, 1, "b:1234", "7.0", ""},
		"an Indexed Job":         {"--nnodes=2 --master-addr=moe-0.moe", index, 2, 1, 8, "moe-0.moe", "moe", ""},
		"of how many?":           {"", index, 0, 0, 0, "", "", "give all of them --nnodes"},
		"which?":                 {"", "SLURM_NTASKS=2", 0, 0, 0, "", "", "which of them this is"},
		"where?":                 {"--run-id=r", "PMI_SIZE=2 PMI_RANK=0 MPI_LOCALNRANKS=1", 0, 0, 0, "", "", "--master-addr=HOST"},
		"on this host":           {"--run-id=r", "PMI_SIZE=2 PMI_RANK=0 MPI_LOCALNRANKS=2", 2, 0, 1, "127.0.0.1", "r", ""},
		"without a common name":  {"", "PMI_SIZE=2 PMI_RANK=0 MPI_LOCALNRANKS=2", 0, 0, 0, "", "", "--run-id"},
		"hosts as torch":         {"--run-id=r", "WORLD_SIZE=2 RANK=1 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500", 2, 1, 8, "10.0.0.1:29500", "r", ""},
		"hosts, but processes":   {"--run-id=r --started-by=torchrun", "WORLD_SIZE=2 RANK=1 MASTER_ADDR=10.0.0.1", 0, 0, 0, "", "", "none of its variables"},
		"one of one":             {"", "WORLD_SIZE=1 RANK=0 MASTER_ADDR=a", 1, 0, 8, "", "", ""},
		"an etcd of their own":   {"--etcd-endpoints=e:1", srun, 4, 3, 1, "", "7.0", ""},
		"both":                   {"--etcd-endpoints=e:1 --master-addr=a", srun, 0, 0, 0, "", "", "one of them"},
		"no address":             {"--nnodes=2 --run-id=r --master-addr=a:b:c", "", 0, 0, 0, "", "", "--master-addr"},
		"files and their folder": {"--certs=c --etcd-ca=f", srun, 0, 0, 0, "", "", "--certs has them"},
	} {
		var nodes, rank, processes int
		var meet, id string
		err := of(test.arguments, test.environment, func(c *cli.Context, environment func(string) string) error {
			p, err := placeOf(c, environment)
			if err != nil {
				return err
			}
			if id, err = runIDOf(c, p, environment); err != nil {
				return err
			}
			party, err := partyOf(c, p, id)
			if master := party.Master; master != nil {
				meet = strings.TrimSuffix(master.Host+":"+master.Port, ":"+portOf(id))
			}
			nodes, rank, processes = party.Nodes, party.NodeRank, p.fitted(optionsOf(c, plan.Defaults(), func(string) bool { return true })).NumProcesses
			return err
		})
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s: %v, want an error with %q", name, err, test.wrong)
			}
			continue
		}
		if err != nil || nodes != test.nodes || rank != test.rank || processes != test.processes || meet != test.meet || id != test.id {
			t.Errorf("%s: %d launchers, number %d, of %d ranks, meet at %q as %q, %v", name, nodes, rank, processes, meet, id, err)
		}
	}
}

func TestACalibrationIsOneCopyOnItsHost(t *testing.T) {
	for environment, wrong := range map[string]bool{
		"": false,
		"SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=0 SLURM_STEP_TASKS_PER_NODE=1(x2)": false,
		"SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 SLURM_STEP_TASKS_PER_NODE=2(x2)": true,
		"SLURM_NTASKS=2": true,
		"WORLD_SIZE=16 RANK=1 LOCAL_WORLD_SIZE=1": false,
		"PMI_SIZE=2 PMI_RANK=1":                   true,
	} {
		err := of("", environment, refuseCopiesHere)
		if (err != nil) != wrong || err != nil && !strings.Contains(err.Error(), "start one, with --num-processes=") {
			t.Errorf("%s: %v", environment, err)
		}
	}
	if err := of("--started-by=none", "SLURM_NTASKS=2", refuseCopiesHere); err != nil {
		t.Error(err)
	}
}
