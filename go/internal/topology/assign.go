package topology

import (
	"slices"
	"strconv"
	"strings"
)

// This file decides which NICs a GPU should use.

// Assign returns for each GPU the places in NICs of those that it should use, the nearest first: as
// many as are asked for, or as there are with a port that carries data.
//
// Of all NICs a GPU takes the nearest, and of these the fastest. Among equals no NIC gets more GPUs
// than it must, and GPUs take them in order.
func (t *Topology) Assign(nicsPerGPU int) [][]int {
	chosen := make([][]int, len(t.GPUs))
	// Loads go on from round to round, so that second NICs are spread, too.
	load := make([]int, len(t.NICs))
	for range nicsPerGPU {
		choices := make([][]int, len(t.GPUs))
		for gpu := range t.GPUs {
			choices[gpu] = t.nearest(gpu, chosen[gpu])
		}
		for gpu, nic := range spread(choices, load) {
			if nic >= 0 {
				chosen[gpu] = append(chosen[gpu], nic)
				load[nic]++
			}
		}
	}
	return chosen
}

// nearest returns the usable NICs that are equally near to a GPU and equally fast, without those that
// it has.
func (t *Topology) nearest(gpu int, has []int) []int {
	var best []int
	var bestRank int
	var bestRate float64
	for nic := range t.NICs {
		port, usable := t.NICs[nic].port()
		if !usable || slices.Contains(has, nic) {
			continue
		}
		rank, rate := t.GPUToNIC(gpu, nic).rank(), port.GigabitsPerSecond
		if len(best) == 0 || rank < bestRank || rank == bestRank && rate > bestRate {
			best, bestRank, bestRate = nil, rank, rate
		}
		if rank == bestRank && rate == bestRate {
			best = append(best, nic)
		}
	}
	return best
}

// spread picks one of each GPU's choices, -1 where there is none, so that the most loaded NIC has as
// few GPUs as can be, beside the load that it has.
func spread(choices [][]int, load []int) []int {
	s := spreading{choices: choices, users: make([][]int, len(load)), load: load}
	picked := slices.Repeat([]int{-1}, len(choices))
	for gpu, of := range choices {
		if len(of) == 0 {
			continue
		}
		for limit := 1 + slices.Min(load); !s.place(gpu, limit, make([]bool, len(load))); limit++ {
		}
	}
	for nic, gpus := range s.users {
		for _, gpu := range gpus {
			picked[gpu] = nic
		}
	}
	return picked
}

// A spreading is a matching of GPUs and NICs in the making.
type spreading struct {
	choices [][]int
	users   [][]int // of each NIC
	load    []int   // of each NIC, from before
}

// place finds a NIC for a GPU that then has no more users than the limit, and moves others if that
// is what it takes.
func (s *spreading) place(gpu, limit int, tried []bool) bool {
	for _, nic := range s.choices[gpu] {
		if s.load[nic]+len(s.users[nic]) < limit {
			s.users[nic] = append(s.users[nic], gpu)
			return true
		}
	}
	for _, nic := range s.choices[gpu] {
		if tried[nic] {
			continue
		}
		tried[nic] = true
		for i, other := range s.users[nic] {
			if s.place(other, limit, tried) {
				s.users[nic][i] = gpu
				return true
			}
		}
	}
	return false
}

// NetDevices names NICs, by their places, as UCX_NET_DEVICES does: mlx5_0:1,mlx5_1:1. It leaves out
// those without a port that carries data.
func (t *Topology) NetDevices(nics []int) string {
	var names []string
	for _, nic := range nics {
		if port, usable := t.NICs[nic].port(); usable {
			names = append(names, t.NICs[nic].Name+":"+strconv.Itoa(port.Number))
		}
	}
	return strings.Join(names, ",")
}
