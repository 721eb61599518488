package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/topology/topologytest"
)

// newTopo is perf topo in a folder with the /sys of a box of 8 GPUs and 8 NICs.
func newTopo(t *testing.T, arguments ...string) *program {
	t.Helper()
	p := newProgram(t, with([]string{"topo"}, arguments...)...)
	if err := os.CopyFS(filepath.Join(p.folder, "sys"), topologytest.Eight()); err != nil {
		t.Fatal(err)
	}
	return p
}

// The real binary, linked as users have it, with a driver's library that it finds as it finds
// theirs. On a machine with a driver of its own this is still the one.
func TestTopoAsksTheDriver(t *testing.T) {
	driver, err := filepath.Abs(filepath.Join("../../..", os.Getenv("FAKE_DRIVER")))
	if err != nil || os.Getenv("FAKE_DRIVER") == "" {
		t.Skipf("skipped: no driver to load (%v); run the test with Bazel", err)
	}
	for _, binding := range []string{"", "LD_BIND_NOW=1"} {
		p := newTopo(t)
		p.Env = append(p.Env, "LD_LIBRARY_PATH="+filepath.Dir(driver), binding)
		if code := p.run(t); code != 0 {
			t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
		}
		for _, row := range []string{"GPU0  X     NV4", "GPU1  NV4   X"} {
			if !strings.Contains(p.stdout.String(), "\n"+row) {
				t.Errorf("stdout lacks %q:\n%s", row, &p.stdout)
			}
		}
	}
}

func TestTopoWithoutADriverSaysSoOnce(t *testing.T) {
	p := newTopo(t)
	// A library that cannot be loaded hides one that the machine may have.
	if err := os.WriteFile(filepath.Join(p.folder, "libnvidia-ml.so.1"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p.Env = append(p.Env, "LD_LIBRARY_PATH="+p.folder)
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	if got := strings.Count(p.stderr.String(), "NICs are shown alone\n"); got != 1 {
		t.Errorf("it is said %d times:\n%s", got, &p.stderr)
	}
}

// What a driver that is a stub does not tell is said, with its code; the NICs are shown all the same.
func TestTopoOfAStubOfADriver(t *testing.T) {
	driver, err := os.ReadFile(filepath.Join("../../..", os.Getenv("FAKE_DRIVER")))
	if err != nil {
		t.Skipf("skipped: no driver to load (%v); run the test with Bazel", err)
	}
	p := newTopo(t)
	for _, function := range []string{"nvmlErrorString", "nvmlDeviceGetCount_v2"} {
		driver = bytes.ReplaceAll(driver, []byte("\x00"+function+"\x00"), []byte("\x00x"+function[1:]+"\x00"))
	}
	if err := os.WriteFile(filepath.Join(p.folder, "libnvidia-ml.so.1"), driver, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Env = append(p.Env, "LD_LIBRARY_PATH="+p.folder)
	const want = "perf: topo: no driver tells of GPUs: count GPUs: NVML error 13; NICs are shown alone\n"
	if code := p.run(t); code != 0 || !strings.HasPrefix(p.stderr.String(), want) || strings.Contains(p.stdout.String(), "PANIC") {
		t.Errorf("exit code %d, stderr %q; want %q; stdout:\n%s", code, &p.stderr, want, &p.stdout)
	}
}

func TestTopoOfAnotherMachine(t *testing.T) {
	p := newTopo(t, "--sys=sys", "--format=json", "--nics-per-gpu=2")
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	var host struct {
		GPUs []struct {
			PCI        string `json:"pci"`
			NetDevices string `json:"ucx_net_devices"`
		}
		NICs   []struct{ Name string }
		Matrix struct{ Cells [][]string }
	}
	if err := json.Unmarshal(p.stdout.Bytes(), &host); err != nil {
		t.Fatal(err)
	}
	if len(host.GPUs) != 8 || len(host.NICs) != 8 || len(host.Matrix.Cells) != 16 || host.GPUs[1].PCI != "0000:16:00.0" || host.GPUs[1].NetDevices != "mlx5_1:1,mlx5_0:1" {
		t.Errorf("%+v", host)
	}
}

func TestTopoIsHeldAgainstATable(t *testing.T) {
	first := newTopo(t, "--sys=sys")
	if code := first.run(t); code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &first.stderr)
	}
	const kernels = "\nKernels: sm_90a; sm_100a, never run yet; compute_90 (PTX, which the driver compiles for others), never run yet\n"
	if !strings.HasSuffix(first.stdout.String(), "\n"+kernels) {
		t.Errorf("stdout does not end with %q:\n%s", kernels, &first.stdout)
	}
	for name, test := range map[string]struct {
		table string
		code  int
		says  string
	}{
		"the same":    {first.stdout.String(), 0, "perf: topo: table has the same classes for all 16 devices\n"},
		"another":     {strings.Replace(first.stdout.String(), "GPU3  NODE  NODE  PIX", "GPU3  NODE  NODE  PHB", 1), 1, "perf: topo: GPU2 and GPU3: PIX here, PHB there\nperf: topo: --check=table: 1 differences\n"},
		"no table":    {"Killed\n", 1, "perf: topo: --check=table: no line names columns such as GPU0 or NIC0: not what nvidia-smi topo -m prints\n"},
		"not a table": {"", 1, "perf: topo: --check=table: no line names columns such as GPU0 or NIC0: not what nvidia-smi topo -m prints\n"},
	} {
		p := newTopo(t, "--sys=sys", "--check=table")
		if err := os.WriteFile(filepath.Join(p.folder, "table"), []byte(test.table), 0o644); err != nil {
			t.Fatal(err)
		}
		if code := p.run(t); code != test.code || p.stderr.String() != test.says {
			t.Errorf("%s: exit code %d, stderr %q; want %d, %q", name, code, &p.stderr, test.code, test.says)
		}
	}
}

func TestWhatMakesNoSenseOfNICsIsNamed(t *testing.T) {
	for arguments, want := range map[string]string{
		"topo --format=yaml":                      `perf: --format="yaml": not one of text, json; see perf --help`,
		"topo --nics-per-gpu=0":                   "perf: --nics-per-gpu=0: must be at least 1; see perf --help",
		"topo now":                                `perf: topo: "now": takes no arguments; see perf --help`,
		"--nics-per-gpu=0":                        "perf: --nics-per-gpu=0: must be at least 1; try --skip-nic-discovery for none; see perf --help",
		"--nic-map=mlx5_0":                        `perf: --nic-map: "mlx5_0" is no GPU with its NICs; try 0=mlx5_0 or 1=mlx5_1+mlx5_2; see perf --help`,
		"--device=cpu --nic-map=0=mlx5_0":         "perf: --nic-map: ranks of this run use no NIC; leave it out, or try --device=cuda --nvlink-backend=none; see perf --help",
		"--skip-nic-discovery --nic-map=0=mlx5_0": "perf: --nic-map: --skip-nic-discovery leaves NICs to UCX; leave out one of the two; see perf --help",
		"--nic-map=0=mlx5_0 UCX_NET_DEVICES=all":  "perf: --nic-map: UCX_NET_DEVICES=all is set, and what is set stays; unset it or leave out the flag; see perf --help",
	} {
		arguments, variable, _ := strings.Cut(arguments, " UCX_")
		p := newProgram(t, strings.Fields(arguments)...)
		if variable != "" {
			p.Env = append(p.Env, "UCX_"+variable)
		}
		if code := p.run(t); code != 2 || p.stderr.String() != want+"\n" {
			t.Errorf("%s: exit code %d, stderr %q; want 2, %q", arguments, code, &p.stderr, want)
		}
	}
}
