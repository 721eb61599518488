package main

import (
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
)

// This file refuses to be one of several copies that something else started: each would start all
// ranks, and they would compete for the host in silence.

// A starter is what starts a program several times, and the variables by which it says how often.
type starter struct {
	name string
	// all and local count its copies, in all and on this host.
	all, local string
	// once is how it starts one, and nodes one per host, each with its --nnodes and --node-rank.
	once, nodes string
}

var starters = []starter{
	{"srun", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE", "srun --ntasks=1", `srun --ntasks-per-node=1 sh -c 'perf --nnodes=$SLURM_NNODES --node-rank=$SLURM_NODEID --etcd-endpoints=HOST:PORT …'`},
	{"srun", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "srun --ntasks=1", `srun --ntasks-per-node=1 sh -c 'perf --nnodes=$SLURM_NNODES --node-rank=$SLURM_NODEID --etcd-endpoints=HOST:PORT …'`},
	{"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "mpirun -np 1", `mpirun --map-by ppr:1:node sh -c 'perf --nnodes=$OMPI_COMM_WORLD_SIZE --node-rank=$OMPI_COMM_WORLD_RANK --etcd-endpoints=HOST:PORT --run-id=NAME …'`},
	{"mpiexec", "PMI_SIZE", "MPI_LOCALNRANKS", "mpiexec -n 1", `mpiexec -ppn 1 sh -c 'perf --nnodes=$PMI_SIZE --node-rank=$PMI_RANK --etcd-endpoints=HOST:PORT --run-id=NAME …'`},
	{"torchrun", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "env -u WORLD_SIZE", `perf --nnodes=HOSTS --node-rank=N --etcd-endpoints=HOST:PORT --run-id=NAME … on each`},
}

// refuseCopies returns an error where something started several copies of this program. One that is
// told --nnodes knows of the others, or that it is to do without them.
func refuseCopies(c *cli.Context, environment func(string) string) error {
	if c.IsSet("nnodes") {
		return nil
	}
	s, copies := copiesOf(environment, func(s starter) string { return s.all })
	if copies < 2 {
		return nil
	}
	return command.Usagef("%s started %d copies of perf (%s=%d), and each would start all ranks by itself: for one host start one, %s perf --num-processes=%d …; for several, %s; or say --nnodes=1 if each copy is to be a run of its own",
		s.name, copies, s.all, copies, s.once, copies, s.nodes)
}

// refuseCopiesHere is refuseCopies of what knows one host alone: one copy on each of several does no harm.
func refuseCopiesHere(environment func(string) string) error {
	here := func(s starter) string {
		if environment(s.local) == "" {
			return s.all // as far as it is known
		}
		return s.local
	}
	s, copies := copiesOf(environment, here)
	if copies < 2 {
		return nil
	}
	return command.Usagef("calibrate: %s started %d copies of perf on this host (%s=%s), and each would start all ranks by itself: start one, %s perf calibrate --num-processes=%d …",
		s.name, copies, here(s), environment(here(s)), s.once, copies)
}

// copiesOf returns what started this program several times, and how often by a variable of each.
func copiesOf(environment func(string) string, variable func(starter) string) (starter, int) {
	for _, s := range starters {
		// A script of sbatch, and a shell of salloc, have Slurm's number of tasks and are one process.
		if s.all == "SLURM_NTASKS" && environment("SLURM_JOB_ID") != "" && (environment("SLURM_STEP_ID") == "" || environment("SLURM_STEP_NUM_TASKS") != "") {
			continue
		}
		if environment(s.all) == "" {
			continue
		}
		// Of a list such as 2(x3),1 the first host's.
		first, _, _ := strings.Cut(environment(variable(s)), ",")
		first, _, _ = strings.Cut(first, "(")
		if copies, err := strconv.Atoi(first); err == nil && copies > 1 {
			return s, copies
		}
	}
	return starter{}, 0
}
