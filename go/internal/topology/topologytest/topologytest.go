// Package topologytest has the /sys of machines that tests need: as much of it as topology reads,
// with its links.
package topologytest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"

	"github.com/epperf/epperf/go/internal/topology"
)

// A Sys is a /sys in the making.
type Sys struct{ fstest.MapFS }

// An Up is a port that carries 400 Gb/s of InfiniBand.
var Up = topology.Port{Number: 1, State: "ACTIVE", LinkLayer: "InfiniBand", GigabitsPerSecond: 400}

// New returns a /sys without devices.
func New() Sys { return Sys{fstest.MapFS{}} }

func (s Sys) file(name, text string) {
	s.MapFS[name] = &fstest.MapFile{Data: []byte(text + "\n"), Mode: 0o444}
}

// link makes a link as the kernel does: relative to its folder.
func (s Sys) link(name, to string) {
	up := strings.Repeat("../", strings.Count(name, "/"))
	s.MapFS[name] = &fstest.MapFile{Data: []byte(up + to), Mode: fs.ModeSymlink | 0o777}
}

// device adds a PCI device by its way from its host bridge, and returns its folder.
func (s Sys) device(way string, numa int) string {
	folder := "devices/" + way
	s.link("bus/pci/devices/"+path.Base(way), folder)
	s.file(folder+"/numa_node", fmt.Sprint(numa))
	if numa >= 0 {
		s.file(folder+"/local_cpulist", fmt.Sprintf("%d-%d", 48*numa, 48*numa+47))
	}
	return folder
}

// GPU adds a GPU of NVIDIA.
func (s Sys) GPU(way string, numa int) {
	folder := s.device(way, numa)
	s.file(folder+"/vendor", "0x10de")
	s.file(folder+"/class", "0x030200")
}

// Nodes adds NUMA nodes by their CPUs.
func (s Sys) Nodes(cpus ...string) {
	for node, list := range cpus {
		s.file(fmt.Sprintf("devices/system/node/node%d/cpulist", node), list)
	}
}

// A NIC is what NIC adds.
type NIC struct {
	Way, Name, Driver, NetDevice string
	NUMA                         int
	Ports                        []topology.Port
}

// NIC adds a NIC.
func (s Sys) NIC(nic NIC) {
	folder := s.device(nic.Way, nic.NUMA)
	s.file(folder+"/vendor", "0x0000")
	s.file(folder+"/class", "0x020000")
	s.link(folder+"/driver", "bus/pci/drivers/"+nic.Driver)
	s.file("bus/pci/drivers/"+nic.Driver+"/uevent", "")
	if nic.NetDevice != "" {
		s.file(folder+"/net/"+nic.NetDevice+"/mtu", "4092")
	}
	folder += "/infiniband/" + nic.Name
	s.link("class/infiniband/"+nic.Name, folder)
	for _, port := range nic.Ports {
		of := fmt.Sprintf("%s/ports/%d", folder, port.Number)
		code := map[string]int{"DOWN": 1, "ACTIVE": 4}[port.State]
		s.file(of+"/state", fmt.Sprintf("%d: %s", code, port.State))
		s.file(of+"/link_layer", port.LinkLayer)
		s.file(of+"/rate", fmt.Sprintf("%g Gb/sec (4X NDR)", port.GigabitsPerSecond))
	}
}

// Eight is a box of 8 GPUs and 8 NICs: on each of four PCIe switches two GPUs lie behind one more
// switch and two NICs behind another, so that two NICs are equally near to two GPUs.
func Eight() Sys {
	s := New()
	for i := range 8 {
		numa, bus := i/4, 0x10+0x20*(i/2)
		trunk := fmt.Sprintf("pci0000:%02x/0000:%02[1]x:01.0/0000:%02x:00.0", bus, bus+1)
		s.GPU(fmt.Sprintf("%s/0000:%02x:00.0/0000:%02x:00.0/0000:%02x:0%d.0/0000:%02x:00.0",
			trunk, bus+2, bus+3, bus+4, i%2, bus+5+i%2), numa)
		s.NIC(NIC{
			Way: fmt.Sprintf("%s/0000:%02x:01.0/0000:%02x:00.0/0000:%02x:0%d.0/0000:%02x:00.0",
				trunk, bus+2, bus+8, bus+9, i%2, bus+10+i%2),
			Name: fmt.Sprintf("mlx5_%d", i), Driver: "mlx5_core", NetDevice: fmt.Sprintf("ib%d", i),
			NUMA: numa, Ports: []topology.Port{Up},
		})
	}
	return s
}

// FourAndTwo is a box of 4 GPUs and 2 NICs without switches. The second NIC's port has the state.
func FourAndTwo(state string) Sys {
	s := New()
	for i := range 4 {
		s.GPU(fmt.Sprintf("pci0000:%02x/0000:%02[1]x:0%[2]d.0/0000:%02x:00.0", 0x80*(i/2), i%2+1, 0x80*(i/2)+i%2+1), i/2)
	}
	for i := range 2 {
		port := topology.Port{Number: 1, State: "ACTIVE", LinkLayer: "Ethernet", GigabitsPerSecond: 200}
		if i == 1 {
			port.State = state
		}
		s.NIC(NIC{
			Way:  fmt.Sprintf("pci0000:%02x/0000:%02[1]x:03.0/0000:%02x:00.0", 0x80*i, 0x80*i+3),
			Name: fmt.Sprintf("bnxt_re%d", i), Driver: "bnxt_en", NetDevice: fmt.Sprintf("ens%d", i+1),
			NUMA: i, Ports: []topology.Port{port},
		})
	}
	return s
}

// VM is a virtual machine with 2 GPUs and 2 NICs, all on its one bus, that tells no NUMA node.
func VM() Sys {
	s := New()
	for i := range 2 {
		s.GPU(fmt.Sprintf("pci0000:00/0000:00:1%x.0", 0xe+i), -1)
		s.NIC(NIC{
			Way:  fmt.Sprintf("pci0000:00/0000:00:0%d.0", 6+i),
			Name: fmt.Sprintf("rdmap0s%d", 6+i), Driver: "efa", NUMA: -1,
			Ports: []topology.Port{{Number: 1, State: "ACTIVE", LinkLayer: "Unspecified", GigabitsPerSecond: 100}},
		})
	}
	return s
}
