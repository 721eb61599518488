package topology_test

import (
	"strings"
	"testing"
	"testing/fstest"

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
	for name, sys := range map[string]topologytest.Sys{
		"nothing":          topologytest.New(),
		"a folder for it":  {MapFS: fstest.MapFS{"class/infiniband/.keep": nil}},
		"a NIC in no port": withNIC(topologytest.NIC{Way: "pci0000:00/0000:00:06.0", Name: "mlx5_0", Driver: "mlx5_core"}),
	} {
		host := read(t, sys)
		if len(host.GPUs) > 0 || host.Text(1) == "" {
			t.Errorf("%s: %+v", name, host)
		}
	}
}

func withNIC(nic topologytest.NIC) topologytest.Sys {
	s := topologytest.New()
	s.NIC(nic)
	return s
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
