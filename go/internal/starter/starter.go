// Package starter reads what a scheduler, or another program that starts this one several times, says
// about it in the environment: how many copies there are, which this one is, and where the first runs.
//
// Nothing is asked and nothing is guessed: a value that no variable states is left out.
package starter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Copy is this program as one of several that something started.
type Copy struct {
	// By is what started it, one of Names.
	By string
	// Size is how many there are in all, or 0 where that is not told. Rank is which of them this is.
	Size, Rank int
	// OnHost is how many are on one host, the most where hosts differ, or 0 where that is not told.
	// Local is which of its host's this is.
	OnHost, Local int
	// OneHost: all are on this host.
	OneHost bool
	// EachARank: a copy stands for a rank; else for a host with all of its ranks.
	EachARank bool
	// First is where copy 0 runs and Port a port that is free there; "" and 0 where that is not told.
	First string
	Port  int
	// RunID names all copies and no others; "" where nothing does.
	RunID string
	// Said is what was read, each as NAME=value.
	Said []string
}

// Automatic and None are what --started-by takes besides Names.
const (
	Automatic = "auto"
	None      = "none"
)

// A kind is a starter and how it is read.
type kind struct {
	name string
	read func(*variables) Copy
}

// kinds stand from the inside to the outside: of mpirun in a job of Slurm, or torchrun in a pod of
// Kubernetes, the one that started this program itself comes first.
var kinds = []kind{
	{"torchrun", readTorchrun},
	{"openmpi", readOpenMPI},
	{"pmi", readHydra},
	{"slurm", readSlurm},
	{"pmi", readPMI},
	{"torch-nodes", readTorchNodes},
	{"pmix", readPMIx},
	{"kubernetes", readKubernetes},
}

// Names returns the starters that are known.
func Names() []string {
	var names []string
	for _, kind := range kinds {
		if !slices.Contains(names, kind.name) {
			names = append(names, kind.name)
		}
	}
	return names
}

// An Error says what is wrong with what a starter says.
type Error struct {
	By      string
	Said    []string
	Problem string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (%s): %s", e.By, strings.Join(e.Said, ", "), e.Problem)
}

// Misuse makes it an error of the command line.
func (*Error) Misuse() {}

// Find reads what started this program: by is one of Names, or Automatic for the innermost that says
// size and rank, else the innermost that says one of them. It returns nil where there is none, and a
// *Error where what it says makes no sense.
func Find(environment func(string) string, by string) (*Copy, error) {
	if by == None {
		return nil, nil
	}
	var partly *Copy
	for _, kind := range kinds {
		if by != Automatic && by != kind.name {
			continue
		}
		v := &variables{environment: environment}
		found := kind.read(v)
		found.By, found.Said = kind.name, v.said
		if v.rank == nil && found.Size == 0 {
			continue
		}
		if v.rank == nil {
			if partly == nil && found.Size > 1 {
				partly = &found
				partly.Rank = -1
			}
			continue
		}
		found.Rank = *v.rank
		if found.Size > 0 && found.Rank >= found.Size {
			return nil, &Error{found.By, found.Said, fmt.Sprintf("there is no number %d among %d", found.Rank, found.Size)}
		}
		if found.Size > 0 {
			return &found, nil
		}
		if partly == nil {
			partly = &found
		}
	}
	if partly == nil && by != Automatic {
		return nil, &Error{by, []string{"--started-by=" + by}, "none of its variables is set; try --started-by=" + Automatic}
	}
	return partly, nil
}

// GPUs returns which GPUs are this copy's, as CUDA_VISIBLE_DEVICES has them, where copies on a host see
// those of all and take `each` of them. It reports false where they do not: what started the copies has
// given each its own, or there are too few.
func (c *Copy) GPUs(visible []string, each int) (string, bool) {
	if c == nil || c.OnHost < 2 || c.Local >= c.OnHost || len(visible) < c.OnHost*each {
		return "", false
	}
	return strings.Join(visible[c.Local*each:][:each], ","), true
}

// variables are an environment, and what was found in it.
type variables struct {
	environment func(string) string
	said        []string
	rank        *int
}

func (v *variables) text(name string) string {
	value := v.environment(name)
	if said := name + "=" + value; value != "" && !slices.Contains(v.said, said) {
		v.said = append(v.said, said)
	}
	return value
}

// number returns what a variable holds, and false where that is no number from least on.
func (v *variables) number(name string, least int) (int, bool) {
	value, err := strconv.Atoi(v.environment(name))
	if err != nil || value < least {
		return 0, false
	}
	v.text(name)
	return value, true
}

// count returns a number of at least one, or 0.
func (v *variables) count(name string) int {
	value, _ := v.number(name, 1)
	return value
}

// ranked reads which copy this is.
func (v *variables) ranked(name string) {
	if rank, ok := v.number(name, 0); ok {
		v.rank = &rank
	}
}
