package topology_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
)

// read reads a machine whose GPUs are those of its /sys.
func read(t *testing.T, sys topologytest.Sys) *topology.Topology {
	t.Helper()
	gpus, err := topology.GPUsOf(sys)
	if err != nil {
		t.Fatal(err)
	}
	host, err := topology.Read(sys, gpus)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// cells returns the matrix, a row a line.
func cells(host *topology.Topology) string {
	var rows []string
	for _, row := range host.Matrix().Cells {
		rows = append(rows, strings.Join(row, " "))
	}
	return strings.Join(rows, "\n")
}

func TestDistancesFollowFromPCI(t *testing.T) {
	way := func(ways ...string) topologytest.Sys {
		s := topologytest.New()
		for i, way := range ways {
			s.GPU(way, i)
		}
		return s
	}
	for name, test := range map[string]struct {
		sys  topologytest.Sys
		want string
	}{
		"two functions of a card": {way("pci0000:00/0000:00:01.0/0000:01:00.0", "pci0000:00/0000:00:01.0/0000:01:00.1"), "X PIX\nPIX X"},
		"one switch": {way(
			"pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0",
			"pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:01.0/0000:04:00.0"), "X PIX\nPIX X"},
		"a switch behind a switch": {way(
			"pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0",
			"pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:01.0/0000:04:00.0/0000:05:00.0/0000:06:00.0"), "X PXB\nPXB X"},
		"a host bridge":          {way("pci0000:00/0000:00:01.0/0000:01:00.0", "pci0000:00/0000:00:02.0/0000:02:00.0"), "X PHB\nPHB X"},
		"host bridges and nodes": {way("pci0000:00/0000:00:01.0/0000:01:00.0", "pci0000:80/0000:80:02.0/0000:81:00.0"), "X SYS\nSYS X"},
		"domains of more digits": {way("pci10000:00/10000:00:01.0/10000:01:00.0", "pci10000:00/10000:00:02.0/10000:02:00.0"), "X PHB\nPHB X"},
		"4 GPUs and 2 NICs": {topologytest.FourAndTwo("ACTIVE"), `X PHB SYS SYS PHB SYS
PHB X SYS SYS PHB SYS
SYS SYS X PHB SYS PHB
SYS SYS PHB X SYS PHB
PHB PHB SYS SYS X SYS
SYS SYS PHB PHB SYS X`},
		"a VM": {topologytest.VM(), "X PHB PHB PHB\nPHB X PHB PHB\nPHB PHB X PHB\nPHB PHB PHB X"},
	} {
		if got := cells(read(t, test.sys)); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

// One NUMA node, or a machine that tells none: several host bridges are no way between nodes.
func TestHostBridgesOfOneNode(t *testing.T) {
	for _, numa := range []int{-1, 0} {
		s := topologytest.New()
		s.GPU("pci0000:00/0000:00:01.0/0000:01:00.0", numa)
		s.GPU("pci0000:80/0000:80:02.0/0000:81:00.0", numa)
		if got := cells(read(t, s)); got != "X NODE\nNODE X" {
			t.Errorf("node %d:\n%s", numa, got)
		}
	}
}

func TestWhatADriverTellsCounts(t *testing.T) {
	sys := topologytest.VM()
	numa := 3
	host, err := topology.Read(sys, []topology.GPU{
		{PCI: "0000:00:1e.0", NUMA: &numa, Peers: []topology.Peer{{}, {Distance: topology.PXB, NVLinks: 0}}},
		{PCI: "0000:00:1f.0", Peers: []topology.Peer{{Distance: topology.PXB, NVLinks: 12}, {}}},
		{PCI: "0000:77:00.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `X PXB N/A PHB PHB
NV12 X N/A PHB PHB
N/A N/A X N/A N/A
PHB PHB N/A X PHB
PHB PHB N/A PHB X`
	if got := cells(host); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if host.GPUs[0].NUMA == nil || *host.GPUs[0].NUMA != 3 {
		t.Errorf("NUMA node %v, want 3", host.GPUs[0].NUMA)
	}
}

func TestAMachineWithoutAnyIsNoError(t *testing.T) {
	if host := read(t, topologytest.New()); len(host.GPUs)+len(host.NICs) > 0 || host.Text(1) != "" {
		t.Errorf("%+v", host)
	}
}

// NICs of several drivers, one of them software's: on no bus, and so at no known distance.
func TestWhatIsKnownOfANIC(t *testing.T) {
	s := topologytest.FourAndTwo("DOWN")
	s.MapFS["class/infiniband/rxe0/ports/1/state"] = &fstest.MapFile{Data: []byte("4: ACTIVE\n")}
	host := read(t, s)
	if len(host.NICs) != 3 {
		t.Fatalf("%+v", host.NICs)
	}
	node := 1
	want := []topology.NIC{
		{
			Name: "bnxt_re1", Driver: "bnxt_en", PCI: "0000:83:00.0", NUMA: &node, CPUs: "48-95", NetDevices: []string{"ens2"},
			Ports: []topology.Port{{Number: 1, State: "DOWN", LinkLayer: "Ethernet", GigabitsPerSecond: 200}},
		},
		{Name: "rxe0", Ports: []topology.Port{{Number: 1, State: "ACTIVE"}}},
	}
	if diff := cmp.Diff(want, host.NICs[1:]); diff != "" {
		t.Errorf("NICs (-want +got):\n%s", diff)
	}
	if got := host.GPUToNIC(0, 2); got != topology.Unknown {
		t.Errorf("a NIC on no bus is at %v", got)
	}
}

func TestNICsAreInTheOrderOfTheirNumbers(t *testing.T) {
	s := topologytest.New()
	for i, name := range []string{"mlx5_10", "mlx5_2", "bnxt_re0", "mlx5_bond_0"} {
		s.NIC(topologytest.NIC{Way: fmt.Sprintf("pci0000:00/0000:00:0%d.0", i), Name: name})
	}
	var names []string
	for _, nic := range read(t, s).NICs {
		names = append(names, nic.Name)
	}
	if diff := cmp.Diff([]string{"bnxt_re0", "mlx5_2", "mlx5_10", "mlx5_bond_0"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAddressesAreReadAsDriversWriteThem(t *testing.T) {
	for text, want := range map[string]topology.PCI{
		"00000000:1B:00.0": "0000:1b:00.0",
		"0000:1b:00.0":     "0000:1b:00.0",
		"00010000:01:00.0": "10000:01:00.0",
	} {
		if got, err := topology.ParsePCI(text); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1b:00.0", "0000:1b:00", "0000:1b:00.9"} {
		if got, err := topology.ParsePCI(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
