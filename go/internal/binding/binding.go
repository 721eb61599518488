// Package binding says on which CPUs and near which memory each rank of a host runs: those of its GPU's NUMA
// node, or of a node that ranks share out among them. What a cpuset or a scheduler leaves is all that is given
// away: where that is one node, nothing is bound.
package binding

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Node is a NUMA node as far as this process may use it.
type Node struct {
	Number int
	CPUs   []int // ascending, at least one
}

// Nodes returns those of the host with this /sys that have some of the allowed CPUs, in the order of their
// numbers; none where the host does not tell.
func Nodes(sys fs.FS, allowed []int) []Node {
	const folder = "devices/system/node"
	entries, err := fs.ReadDir(sys, folder)
	if err != nil {
		return nil
	}
	var nodes []Node
	for _, entry := range entries {
		digits, found := strings.CutPrefix(entry.Name(), "node")
		number, err := strconv.Atoi(digits)
		if !found || err != nil {
			continue
		}
		text, _ := fs.ReadFile(sys, path.Join(folder, entry.Name(), "cpulist"))
		cpus, err := ParseCPUs(strings.TrimSpace(string(text)))
		if err != nil {
			continue
		}
		cpus = slices.DeleteFunc(cpus, func(cpu int) bool { return !slices.Contains(allowed, cpu) })
		if len(cpus) > 0 {
			nodes = append(nodes, Node{number, cpus})
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int { return a.Number - b.Number })
	return nodes
}

// A Place is where a rank runs.
type Place struct {
	// Node is a NUMA node's number; nil of a rank that may run wherever its launcher may.
	Node *int
	CPUs []int
	// Memory: what the rank allocates lies on the node while there is room.
	Memory bool
}

// OfGPUs returns the place of each rank by the node of its GPU, nil where that is not known. A rank whose GPU
// lies at a node that it may not use stays free. Nil: there is only one node to use, and nothing to bind.
func OfGPUs(nodes []Node, gpuNode []*int) []Place {
	if len(nodes) < 2 {
		return nil
	}
	places := make([]Place, len(gpuNode))
	for rank, number := range gpuNode {
		at := -1
		if number != nil {
			at = slices.IndexFunc(nodes, func(n Node) bool { return n.Number == *number })
		}
		if at < 0 {
			places[rank] = free(nodes)
			continue
		}
		places[rank] = of(nodes[at])
	}
	return places
}

// OfCPUs returns the places of count ranks from the first on, where ranks are numbered over all launchers of the
// run, so that several of one host do not crowd the same node. Each takes the node that then has most CPUs per
// rank. Nil: there is only one node to use, and nothing to bind.
func OfCPUs(nodes []Node, first, count int) []Place {
	if len(nodes) < 2 {
		return nil
	}
	ranksOn := make([]int, len(nodes))
	places := make([]Place, 0, count)
	for rank := range first + count {
		best := 0
		for at := range nodes { // cpus / (ranks + 1), compared without division
			if len(nodes[at].CPUs)*(ranksOn[best]+1) > len(nodes[best].CPUs)*(ranksOn[at]+1) {
				best = at
			}
		}
		ranksOn[best]++
		if rank >= first {
			places = append(places, of(nodes[best]))
		}
	}
	return places
}

func of(node Node) Place { return Place{Node: new(node.Number), CPUs: node.CPUs} }

func free(nodes []Node) Place {
	var all []int
	for _, node := range nodes {
		all = append(all, node.CPUs...)
	}
	slices.Sort(all)
	return Place{CPUs: all}
}

// ParseCPUs reads a list as /sys has it, such as 0-47,96-143; the empty list is none.
func ParseCPUs(text string) ([]int, error) {
	var cpus []int
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("CPUs %q: %w", text, err)
		}
		to, err := strconv.ParseUint(high, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("CPUs %q: %w", text, err)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	return cpus, nil
}

// FormatCPUs writes ascending CPUs as such a list.
func FormatCPUs(cpus []int) string {
	var parts []string
	for from := 0; from < len(cpus); {
		to := from
		for to+1 < len(cpus) && cpus[to+1] == cpus[to]+1 {
			to++
		}
		if part := strconv.Itoa(cpus[from]); to == from {
			parts = append(parts, part)
		} else {
			parts = append(parts, part+"-"+strconv.Itoa(cpus[to]))
		}
		from = to + 1
	}
	return strings.Join(parts, ",")
}
