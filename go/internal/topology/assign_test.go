package topology_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
)

// assigned returns UCX_NET_DEVICES of all GPUs.
func assigned(host *topology.Topology, nicsPerGPU int) string {
	var all []string
	for _, nics := range host.Assign(nicsPerGPU) {
		all = append(all, host.NetDevices(nics))
	}
	return strings.Join(all, " ")
}

func TestGPUsTakeTheNearestNICsAndShareThemEvenly(t *testing.T) {
	for name, test := range map[string]struct {
		sys  topologytest.Sys
		nics int
		want string
	}{
		"8 GPUs and 8 NICs":       {topologytest.Eight(), 1, "mlx5_0:1 mlx5_1:1 mlx5_2:1 mlx5_3:1 mlx5_4:1 mlx5_5:1 mlx5_6:1 mlx5_7:1"},
		"two each":                {topologytest.Eight(), 2, "mlx5_0:1,mlx5_1:1 mlx5_1:1,mlx5_0:1 mlx5_2:1,mlx5_3:1 mlx5_3:1,mlx5_2:1 mlx5_4:1,mlx5_5:1 mlx5_5:1,mlx5_4:1 mlx5_6:1,mlx5_7:1 mlx5_7:1,mlx5_6:1"},
		"4 GPUs and 2 NICs":       {topologytest.FourAndTwo("ACTIVE"), 1, "bnxt_re0:1 bnxt_re0:1 bnxt_re1:1 bnxt_re1:1"},
		"more than there are":     {topologytest.FourAndTwo("ACTIVE"), 9, "bnxt_re0:1,bnxt_re1:1 bnxt_re0:1,bnxt_re1:1 bnxt_re1:1,bnxt_re0:1 bnxt_re1:1,bnxt_re0:1"},
		"the nearest NIC is down": {topologytest.FourAndTwo("DOWN"), 1, "bnxt_re0:1 bnxt_re0:1 bnxt_re0:1 bnxt_re0:1"},
		"a VM":                    {topologytest.VM(), 1, "rdmap0s6:1 rdmap0s7:1"},
		"no NIC":                  {gpuAlone(), 1, ""},
	} {
		if got := assigned(read(t, test.sys), test.nics); got != test.want {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
	}
}

func gpuAlone() topologytest.Sys {
	s := topologytest.New()
	s.GPU("pci0000:00/0000:00:1e.0", 0)
	return s
}

// On one bus: three GPUs, and NICs with these ports.
func onOneBus(ports ...[]topology.Port) topologytest.Sys {
	s := topologytest.New()
	for i := range 3 {
		s.GPU(fmt.Sprintf("pci0000:00/0000:00:1%d.0", i), 0)
	}
	for i, of := range ports {
		s.NIC(topologytest.NIC{Way: fmt.Sprintf("pci0000:00/0000:00:0%d.0", i), Name: fmt.Sprintf("mlx5_%d", i), Driver: "mlx5_core", Ports: of})
	}
	return s
}

func TestAmongEqualsTheFastestPortsCount(t *testing.T) {
	port := func(number int, state string, rate float64) topology.Port {
		return topology.Port{Number: number, State: state, LinkLayer: "Ethernet", GigabitsPerSecond: rate}
	}
	for name, test := range map[string]struct {
		sys  topologytest.Sys
		want string
	}{
		"a slow NIC is left":        {onOneBus([]topology.Port{port(1, "ACTIVE", 25)}, []topology.Port{port(1, "ACTIVE", 400)}), "mlx5_1:1 mlx5_1:1 mlx5_1:1"},
		"the active one of two":     {onOneBus([]topology.Port{port(1, "DOWN", 400), port(2, "ACTIVE", 200)}), "mlx5_0:2 mlx5_0:2 mlx5_0:2"},
		"the faster one of two":     {onOneBus([]topology.Port{port(1, "ACTIVE", 100), port(2, "ACTIVE", 200)}), "mlx5_0:2 mlx5_0:2 mlx5_0:2"},
		"three on two":              {onOneBus([]topology.Port{topologytest.Up}, []topology.Port{topologytest.Up}), "mlx5_0:1 mlx5_1:1 mlx5_0:1"},
		"nobody without a port":     {onOneBus(nil, []topology.Port{topologytest.Up}), "mlx5_1:1 mlx5_1:1 mlx5_1:1"},
		"initialising carries none": {onOneBus([]topology.Port{port(1, "INIT", 400)}), "  "},
	} {
		if got := assigned(read(t, test.sys), 1); got != test.want {
			t.Errorf("%s: %s; want %s", name, got, test.want)
		}
	}
}

// The first GPU is as near to both NICs, the second to the first NIC alone: both get one.
func TestAGPUWithAChoiceMakesRoom(t *testing.T) {
	s := topologytest.New()
	const trunk = "pci0000:00/0000:00:01.0/0000:01:00.0/"
	s.GPU(trunk+"0000:02:00.0/0000:03:00.0", 0)                           // on the switch with both NICs
	s.GPU(trunk+"0000:02:01.0/0000:04:00.0/0000:05:00.0/0000:06:00.0", 0) // behind a switch of its own
	s.NIC(topologytest.NIC{Way: trunk + "0000:02:01.0/0000:04:00.0/0000:05:01.0/0000:07:00.0", Name: "mlx5_0", Driver: "mlx5_core", Ports: []topology.Port{topologytest.Up}})
	s.NIC(topologytest.NIC{Way: trunk + "0000:02:02.0/0000:08:00.0/0000:09:01.0/0000:0a:00.0", Name: "mlx5_1", Driver: "mlx5_core", Ports: []topology.Port{topologytest.Up}})
	host := read(t, s)
	if got := cells(host); !strings.HasPrefix(got, "X PXB PXB PXB\nPXB X PIX PXB\n") {
		t.Fatalf("not the machine that is meant:\n%s", got)
	}
	if got := assigned(host, 1); got != "mlx5_1:1 mlx5_0:1" {
		t.Errorf("assigned %s", got)
	}
}

func TestRanksGetWhatTheMapSaysAndElseWhatIsNear(t *testing.T) {
	host := read(t, topologytest.Eight())
	// As CUDA_VISIBLE_DEVICES=5,0 counts them, and one that /sys does not have.
	gpus := []topology.PCI{host.GPUs[5].PCI, host.GPUs[0].PCI, "0000:ee:00.0"}
	for text, want := range map[string]string{
		"":                           "mlx5_5:1 mlx5_0:1 ",
		"0=mlx5_2":                   "mlx5_2:1 mlx5_0:1 ",
		"1=mlx5_6+mlx5_7,2=mlx5_1":   "mlx5_5:1 mlx5_6:1,mlx5_7:1 mlx5_1:1",
		"0=mlx5_0,1=mlx5_0,2=mlx5_0": "mlx5_0:1 mlx5_0:1 mlx5_0:1",
	} {
		wanted, err := topology.ParseMap(text)
		if err != nil {
			t.Fatal(err)
		}
		devices, err := host.NetDevicesOf(gpus, 1, wanted)
		if got := strings.Join(devices, " "); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestAWrongMapIsNamed(t *testing.T) {
	host := read(t, topologytest.FourAndTwo("DOWN"))
	gpus := []topology.PCI{host.GPUs[0].PCI, host.GPUs[1].PCI}
	for text, want := range map[string]string{
		"mlx5_0":                `"mlx5_0" is no GPU with its NICs`,
		"0:mlx5_0":              `"0:mlx5_0" is no GPU with its NICs`,
		"0=":                    `"0=" is no GPU with its NICs`,
		"-1=mlx5_0":             `"-1=mlx5_0" is no GPU with its NICs`,
		"0=bnxt_re0,":           `"" is no GPU with its NICs`,
		"0=bnxt_re0,0=bnxt_re0": "GPU 0 has two entries; join its NICs with +",
		"0=bnxt_re0+bnxt_re0":   "GPU 0: it has NIC bnxt_re0 twice",
		"2=bnxt_re0":            "there is no GPU 2 among the 2 that ranks of this host use",
		"0=mlx5_0":              "GPU 0: there is no NIC mlx5_0; try bnxt_re0",
		"0=bnxt_re0,1=bnxt_re1": "GPU 1: no port of NIC bnxt_re1 is active; try bnxt_re0",
	} {
		wanted, err := topology.ParseMap(text)
		if err == nil {
			_, err = host.NetDevicesOf(gpus, 1, wanted)
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}
