package topology_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
)

// What a driver's program prints to a terminal of the VM's two GPUs and NICs: tabs, underlines,
// spaces around X.
const smi = "\t\x1b[4mGPU0\tGPU1\tNIC0\tNIC1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\n" +
	"GPU0\t X \tPHB\tPHB\tSYS\t0-7\t0\t\tN/A\n" +
	"GPU1\tPHB\t X \tPHB\tPHB\t0-7\t0\t\tN/A\n" +
	"NIC0\tPHB\tPHB\t X \tPHB\t\t\t\t\n" +
	"NIC1\tSYS\tPHB\tPHB\t X \t\t\t\t\n" +
	"\nLegend:\n\n  X    = Self\n  SYS  = Connection traversing PCIe as well as more\n" +
	"\nNIC Legend:\n\n  NIC0: rdmap0s6\n  NIC1: rdmap0s7\n\n"

func TestWhatNvidiaSMIPrintsIsRead(t *testing.T) {
	got, err := topology.ParseMatrix(smi)
	want := topology.Matrix{
		Names: []string{"GPU0", "GPU1", "rdmap0s6", "rdmap0s7"},
		Cells: [][]string{{"X", "PHB", "PHB", "SYS"}, {"PHB", "X", "PHB", "PHB"}, {"PHB", "PHB", "X", "PHB"}, {"SYS", "PHB", "PHB", "X"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestOlderDriversNameNICsInTheTable(t *testing.T) {
	got, err := topology.ParseMatrix("\tGPU0\tmlx5_0\tCPU Affinity\nGPU0\t X \tPIX\t0-7\nmlx5_0\tPIX\t X \t\n")
	want := topology.Matrix{Names: []string{"GPU0", "mlx5_0"}, Cells: [][]string{{"X", "PIX"}, {"PIX", "X"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	there, err := topology.ParseMatrix(smi)
	if err != nil {
		t.Fatal(err)
	}
	host := read(t, topologytest.VM())
	want := []string{"GPU0 and rdmap0s7: PHB here, SYS there"}
	if diff := cmp.Diff(want, host.Matrix().Differences(there)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	host.NICs = host.NICs[:1]
	there.Names[0] = "GPU7"
	want = []string{"GPU0: it is here, and not there", "GPU7: it is there, and not here", "rdmap0s7: it is there, and not here"}
	if diff := cmp.Diff(want, host.Matrix().Differences(there)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The table may be kept, and a machine held against itself later.
func TestOurOwnTableIsRead(t *testing.T) {
	for name, sys := range map[string]topologytest.Sys{
		"8 GPUs": topologytest.Eight(), "4 GPUs": topologytest.FourAndTwo("DOWN"), "a VM": topologytest.VM(),
	} {
		host := read(t, sys)
		got, err := topology.ParseMatrix(host.Text(1))
		if diff := cmp.Diff(host.Matrix(), got); diff != "" || err != nil {
			t.Errorf("%s: %v, (-here +read):\n%s", name, err, diff)
		}
	}
}

func TestWhatIsNoTableIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "no line names columns",
		"nvidia-smi: not found\n":  "no line names columns",
		"\tGPU0\tGPU1\nGPU0\t X\n": `row "GPU0\t X": want GPU0 and 2 classes after it`,
		"\tGPU0\tGPU1\nGPU1\tX\tX": `row "GPU1\tX\tX": want GPU0 and 2 classes after it`,
		"\tGPU0\tGPU1\nGPU0\tX\tX": "1 rows for 2 columns: its end is missing",
	} {
		if _, err := topology.ParseMatrix(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}

func FuzzParseMatrix(f *testing.F) {
	f.Add(smi)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := topology.ParseMatrix(text)
		if err != nil {
			return
		}
		for _, row := range m.Cells {
			if len(row) != len(m.Names) {
				t.Errorf("a row of %d for %d columns", len(row), len(m.Names))
			}
		}
	})
}
