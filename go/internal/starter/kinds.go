package starter

import (
	"regexp"
	"strconv"
	"strings"
)

// This file has one function for each starter, and says which variables it believes.

// readSlurm reads a step of srun. A script of sbatch, and a shell of salloc, have Slurm's number of tasks
// and are one process: they have no step. An older srun has no SLURM_STEP_NUM_TASKS.
func readSlurm(v *variables) Copy {
	var c Copy
	if c.Size = v.count("SLURM_STEP_NUM_TASKS"); c.Size == 0 && (v.environment("SLURM_STEP_ID") != "" || v.environment("SLURM_JOB_ID") == "") {
		c.Size = v.count("SLURM_NTASKS")
	}
	if c.Size == 0 {
		return c
	}
	v.ranked("SLURM_PROCID")
	tasks := v.text("SLURM_STEP_TASKS_PER_NODE")
	c.OnHost = most(tasks)
	c.Local, _ = v.number("SLURM_LOCALID", 0)
	c.EachARank = c.OnHost > 1
	c.OneHost = c.OnHost == c.Size
	c.First = firstHost(v.text("SLURM_STEP_NODELIST"))
	c.RunID = joined(v.text("SLURM_JOB_ID"), v.text("SLURM_STEP_ID"))
	return c
}

// joined is a job's name with its step's.
func joined(job, step string) string {
	if job == "" || step == "" {
		return job
	}
	return job + "." + step
}

// most returns the largest number of a list such as 2(x3),1, or 0.
func most(list string) int {
	largest := 0
	for _, part := range strings.Split(list, ",") {
		number, _, _ := strings.Cut(part, "(")
		if value, err := strconv.Atoi(number); err == nil {
			largest = max(largest, value)
		}
	}
	return largest
}

// bracket is a range of host names, and its first number.
var bracket = regexp.MustCompile(`\[([^],-]+)[^]]*\]`)

// firstHost returns the first of a list such as rack[01-03]n[7,9],login: rack01n7.
func firstHost(list string) string {
	first, _, _ := strings.Cut(bracket.ReplaceAllString(list, "$1"), ",")
	return first
}

// readOpenMPI reads Open MPI's mpirun, whatever it starts: MPI or not.
func readOpenMPI(v *variables) Copy {
	c := Copy{Size: v.count("OMPI_COMM_WORLD_SIZE")}
	if c.Size == 0 {
		return c
	}
	v.ranked("OMPI_COMM_WORLD_RANK")
	c.OnHost = v.count("OMPI_COMM_WORLD_LOCAL_SIZE")
	c.Local, _ = v.number("OMPI_COMM_WORLD_LOCAL_RANK", 0)
	c.EachARank = c.OnHost != 1
	c.OneHost = c.OnHost == c.Size
	c.RunID = idOf(v.text("PMIX_NAMESPACE"))
	return c
}

// readHydra reads MPICH's and Intel MPI's mpiexec, which say what is on this host as well.
func readHydra(v *variables) Copy {
	if v.environment("MPI_LOCALNRANKS") == "" {
		return Copy{}
	}
	return readPMI(v)
}

// readPMI reads the process management interface of MPI.
func readPMI(v *variables) Copy {
	c := Copy{Size: v.count("PMI_SIZE")}
	if c.Size == 0 {
		return c
	}
	v.ranked("PMI_RANK")
	c.OnHost = v.count("MPI_LOCALNRANKS")
	c.Local, _ = v.number("MPI_LOCALRANKID", 0)
	c.EachARank = c.OnHost != 1
	c.OneHost = c.OnHost == c.Size
	return c
}

// readPMIx reads the newer interface, whose number of processes is in no variable.
func readPMIx(v *variables) Copy {
	var c Copy
	v.ranked("PMIX_RANK")
	if v.rank != nil {
		c.EachARank, c.RunID = true, idOf(v.text("PMIX_NAMESPACE"))
	}
	return c
}

// readTorchrun reads WORLD_SIZE and RANK where they count processes: torchrun, and whatever sets them as it
// does, also says which of a host's processes this is. MASTER_PORT is not taken: torchrun listens there.
func readTorchrun(v *variables) Copy {
	if v.environment("LOCAL_RANK") == "" && v.environment("LOCAL_WORLD_SIZE") == "" {
		return Copy{}
	}
	c := Copy{Size: v.count("WORLD_SIZE")}
	if c.Size == 0 {
		return c
	}
	v.ranked("RANK")
	c.OnHost = v.count("LOCAL_WORLD_SIZE")
	c.Local, _ = v.number("LOCAL_RANK", 0)
	c.EachARank = c.OnHost != 1
	c.OneHost = c.OnHost == c.Size
	c.First = v.text("MASTER_ADDR")
	if id := v.environment("TORCHELASTIC_RUN_ID"); id != "none" { // torchrun's default
		c.RunID = idOf(v.text("TORCHELASTIC_RUN_ID"))
	}
	return c
}

// readTorchNodes reads WORLD_SIZE and RANK where they count hosts, as tests of DeepEP and NIXL EP have them:
// nothing says which of a host's processes this is, for each starts its host's.
func readTorchNodes(v *variables) Copy {
	if v.environment("LOCAL_RANK") != "" || v.environment("LOCAL_WORLD_SIZE") != "" {
		return Copy{}
	}
	c := Copy{Size: v.count("WORLD_SIZE")}
	if c.Size == 0 {
		return c
	}
	v.ranked("RANK")
	c.OnHost = 1
	c.First = v.text("MASTER_ADDR")
	c.Port = v.count("MASTER_PORT")
	return c
}

// readKubernetes reads a pod of an Indexed Job. How many there are is in the Job and in no variable.
func readKubernetes(v *variables) Copy {
	v.ranked("JOB_COMPLETION_INDEX")
	if v.rank == nil {
		return Copy{}
	}
	name, index, found := cutLast(v.environment("HOSTNAME"), "-")
	c := Copy{OnHost: 1}
	if found && index == strconv.Itoa(*v.rank) {
		v.text("HOSTNAME")
		c.RunID = idOf(name)
	}
	return c
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// outside is what a run id has not.
var outside = regexp.MustCompile(`^[^A-Za-z0-9]+|[^A-Za-z0-9._-]`)

// idOf makes a name the form of a run id.
func idOf(name string) string {
	id := outside.ReplaceAllString(name, "-")
	return strings.TrimLeft(id[:min(len(id), 64)], "-._")
}
