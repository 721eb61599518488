// Package topology is how a host's GPUs and NICs lie to each other: which are near, which NICs a
// GPU should use, and the table that says so.
//
// It reads /sys, as an fs.FS, and knows no driver: GPUs come from a caller that asked one, or from
// /sys, too. Classes of distance are those of `nvidia-smi topo -m`.
package topology

import (
	"fmt"
	"io/fs"
	"slices"
)

// A GPU is one of a host's GPUs.
type GPU struct {
	Name string `json:"name,omitempty"`
	UUID string `json:"uuid,omitempty"`
	PCI  PCI    `json:"pci"`
	// NUMA is the node that it is nearest to; nil where nobody tells, as on most virtual machines.
	NUMA *int `json:"numa_node,omitempty"`
	// CPUs are those of that node, such as "0-47,96-143"; may be empty.
	CPUs string `json:"cpus,omitempty"`
	// Peers are its ways to all GPUs, in their order; empty where no driver told. Its own is zero.
	Peers []Peer `json:"peers,omitempty"`
	// DownNVLinks is how many NVLinks it has that are not active, wired or not.
	DownNVLinks int `json:"down_nvlinks"`
}

// A Peer is the way from one GPU to another.
type Peer struct {
	Distance Distance `json:"distance"`
	// NVLinks is how many active NVLinks lead there, over switches or not.
	NVLinks int `json:"nvlinks"`
}

// A NIC is a device that RDMA knows, such as mlx5_0.
type NIC struct {
	Name string `json:"name"`
	// Driver is its kernel module, such as mlx5_core, bnxt_en or efa; may be empty.
	Driver string `json:"driver,omitempty"`
	PCI    PCI    `json:"pci,omitempty"` // empty of one that lies on no PCI bus
	NUMA   *int   `json:"numa_node,omitempty"`
	CPUs   string `json:"cpus,omitempty"`
	// NetDevices are its network interfaces; none where it has no IP.
	NetDevices []string `json:"net_devices,omitempty"`
	Ports      []Port   `json:"ports"`
}

// A Port is one of a NIC's.
type Port struct {
	Number int    `json:"number"`
	State  string `json:"state"` // such as ACTIVE, DOWN
	// LinkLayer is InfiniBand, Ethernet or what the driver calls it; may be empty.
	LinkLayer string `json:"link_layer,omitempty"`
	// GigabitsPerSecond is its rate; 0 where it is not told.
	GigabitsPerSecond float64 `json:"gigabits_per_second,omitempty"`
}

// active is how /sys names the state of a port that carries data.
const active = "ACTIVE"

// port returns the fastest of the ports that carry data, the first among equals.
func (n NIC) port() (Port, bool) {
	var best Port
	for _, port := range n.Ports {
		if port.State == active && (best.Number == 0 || port.GigabitsPerSecond > best.GigabitsPerSecond) {
			best = port
		}
	}
	return best, best.Number > 0
}

// A Topology is a host's GPUs and NICs, and how they lie to each other.
type Topology struct {
	GPUs []GPU
	NICs []NIC

	ways map[PCI]way
}

// Read returns the topology of the host with this /sys. What its GPUs do not say of themselves is
// looked up there. No NIC is no error, nor is a device that /sys does not know: then its distances
// are Unknown.
func Read(sys fs.FS, gpus []GPU) (*Topology, error) {
	t := &Topology{GPUs: slices.Clone(gpus), ways: map[PCI]way{}}
	var err error
	if t.NICs, err = readNICs(sys); err != nil {
		return nil, fmt.Errorf("look for NICs in /sys: %w", err)
	}
	for _, nic := range t.NICs {
		t.ways[nic.PCI] = wayOf(folderOf(sys, nic.PCI))
	}
	for i := range t.GPUs {
		gpu := &t.GPUs[i]
		folder := folderOf(sys, gpu.PCI)
		t.ways[gpu.PCI] = wayOf(folder)
		if gpu.NUMA == nil {
			gpu.NUMA = numaOf(sys, folder)
		}
		gpu.CPUs = line(sys, folder+"/local_cpulist")
	}
	return t, nil
}

// GPUToGPU returns the way between two GPUs, by their places in GPUs.
func (t *Topology) GPUToGPU(a, b int) Peer {
	var peer Peer
	if b < len(t.GPUs[a].Peers) {
		peer = t.GPUs[a].Peers[b]
	}
	if peer.Distance == Unknown && a != b {
		peer.Distance = t.between(t.GPUs[a].PCI, t.GPUs[b].PCI, t.GPUs[a].NUMA, t.GPUs[b].NUMA)
	}
	return peer
}

// GPUToNIC returns the distance between a GPU and a NIC, by their places in GPUs and NICs.
func (t *Topology) GPUToNIC(gpu, nic int) Distance {
	return t.between(t.GPUs[gpu].PCI, t.NICs[nic].PCI, t.GPUs[gpu].NUMA, t.NICs[nic].NUMA)
}

// NICToNIC returns the distance between two NICs, by their places in NICs.
func (t *Topology) NICToNIC(a, b int) Distance {
	return t.between(t.NICs[a].PCI, t.NICs[b].PCI, t.NICs[a].NUMA, t.NICs[b].NUMA)
}

// between compares where two devices lie on PCI.
func (t *Topology) between(a, b PCI, numaA, numaB *int) Distance {
	wayA, wayB := t.ways[a], t.ways[b]
	if len(wayA) == 0 || len(wayB) == 0 {
		return Unknown
	}
	return distance(wayA, wayB, numaA, numaB)
}
