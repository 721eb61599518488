package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/report/screentest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

var modes = []string{"dispatch", "combine", "e2e"}

func TestModesAndRanksAreMeasuredAndChecked(t *testing.T) {
	for _, mode := range modes {
		for _, ranks := range []int{1, 2, 3, 8} {
			for _, dtype := range []string{"fp8", "bf16"} {
				if dtype == "bf16" && ranks != 3 {
					continue
				}
				t.Run(fmt.Sprintf("%s, %d ranks, %s", mode, ranks, dtype), func(t *testing.T) {
					p := newProgram(t, with(small, "--mode="+mode, fmt.Sprintf("--num-processes=%d", ranks), "--dtype="+dtype)...)
					if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
						t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
					}
					if want := fmt.Sprintf("Data Plane (%s): %d/%d ranks passed\n", mode, ranks, ranks); !strings.Contains(p.stdout.String(), want) {
						t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
					}
					kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
					if summary := figures.Summarize(kept); !summary.Passed() {
						t.Errorf("the record did not pass: %v", kept.Trailer)
					}
					for rank := range ranks {
						if got := len(kept.Rank(0, rank).Pass(0)); got != 5 {
							t.Errorf("rank %d has %d durations", rank, got)
						}
					}
				})
			}
		}
	}
}

func TestEveryLayoutIsMeasuredCheckedAndNamed(t *testing.T) {
	for _, way := range []struct{ layout, combine string }{
		{"contig", "rank"}, {"flat", "rank"}, {"rank", "rank"}, {"expert", "expert"}, {"contig", "expert"},
	} {
		t.Run(way.layout+", "+way.combine, func(t *testing.T) {
			p := newProgram(t, with(small, "--num-processes=3", "--layout="+way.layout, "--combine="+way.combine)...)
			if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
				t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
			for _, want := range []string{
				fmt.Sprintf("\nLayout: %s, Combine: %s\n", way.layout, way.combine),
				fmt.Sprintf(", layout %s, combine %s): 3/3 ranks passed\n", way.layout, way.combine),
			} {
				if !strings.Contains(p.stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
				}
			}
		})
	}
}

func TestShapesOfRealModelsAreRight(t *testing.T) {
	for name, shape := range map[string][]string{
		"2,880 channels, top-4":         {"--hidden=2880", "--topk=4"},
		"the same quantised before":     {"--hidden=2880", "--topk=4", "--quantize=outside"},
		"8 channels, top-32":            {"--hidden=8", "--topk=32", "--experts-per-rank=11"},
		"2,049 experts, top-22":         {"--hidden=136", "--topk=22", "--experts-per-rank=683"},
		"more experts than GPUs manage": {"--hidden=8", "--topk=8", "--experts-per-rank=1000", "--layout=flat"},
	} {
		for _, dtype := range []string{"fp8", "bf16"} {
			if dtype == "bf16" && slices.Contains(shape, "--quantize=outside") {
				continue
			}
			t.Run(name+", "+dtype, func(t *testing.T) {
				p := newProgram(t, with(small, with(shape, "--num-processes=3", "--dtype="+dtype)...)...)
				if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), "): 3/3 ranks passed\n") {
					t.Errorf("exit code %d, stderr:\n%s\nstdout:\n%s", code, &p.stderr, &p.stdout)
				}
			})
		}
	}
}

func TestRowsThatAreQuantisedBeforeAreNamed(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--quantize=outside")...)
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	for _, want := range []string{
		"\nQuantize: outside (codes and scales are the input)\n",
		"(e2e, quantize outside): 2/2 ranks passed\n",
	} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
		}
	}
}

func TestScreensOfTheContract(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("../../../testdata/screen", mode+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			p := newProgram(t, "--mode="+mode, "--tokens=128", "--hidden=7168", "--experts-per-rank=36", "--topk=8")
			if code := p.run(t); code != 0 {
				t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
			if diff := cmp.Diff(screentest.MaskMachine(string(want)), screentest.MaskMachine(p.stdout.String())); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadArgumentsAreOneLineBeforeAnythingStarts(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		wantCode  int
		want      string
	}{
		"unknown flag":      {[]string{"--nope"}, 2, "no flag --nope"},
		"stray argument":    {[]string{"stray"}, 2, `"stray" is neither`},
		"missing value":     {[]string{"--tokens"}, 2, "--tokens: a value is missing"},
		"not a number":      {[]string{"--tokens=many"}, 2, `--tokens="many": neither`},
		"huge number":       {[]string{"--tokens=99999999999999999999"}, 2, "--tokens=99999999999999999999: must be"},
		"not a bool":        {[]string{"--quiet=maybe"}, 2, `--quiet="maybe": no value`},
		"not a time":        {[]string{"--timeout=soon"}, 2, `--timeout="soon": neither`},
		"no time":           {[]string{"--wait-timeout=0"}, 2, "--wait-timeout=0s: must be"},
		"negative seed":     {[]string{"--seed=-1"}, 2, `--seed="-1": not a number in decimal digits`},
		"bad mode":          {[]string{"--mode=both"}, 2, `--mode="both"`},
		"bad hidden":        {[]string{"--hidden=100"}, 2, "--hidden=100"},
		"no ranks":          {[]string{"--num-processes=0"}, 2, "--num-processes=0"},
		"topk too large":    {[]string{"--topk=9", "--num-processes=1", "--experts-per-rank=8"}, 2, "topk"},
		"no output":         {[]string{"--output="}, 2, "--output: a folder is missing"},
		"bad device":        {[]string{"--device=tpu"}, 2, `--device="tpu"`},
		"shared CPUs":       {[]string{"--device=cpu", "--shared-gpu"}, 2, "--device=cpu: --shared-gpu is for GPUs; try --device=cuda"},
		"bad routing":       {[]string{"--routing=best"}, 2, `--routing="best": not one of uniform, balanced`},
		"bad layout":        {[]string{"--layout=packed"}, 2, `--layout="packed": not one of expert`},
		"nothing to return": {[]string{"--layout=flat", "--combine=expert"}, 2, "--combine=expert: layout flat has no row of each expert"},
		"dump of rows once": {[]string{"--layout=flat", "--dump=d"}, 2, "--dump: a dump has the rows of each expert"},
		"no such file":      {[]string{"--routing=file:none.npy"}, 2, "--routing=file:none.npy: cannot be read"},
		"tokens of some":    {[]string{"--tokens=1,2"}, 2, "--tokens=1,2: has 2 numbers for 8 ranks"},
		"too much memory":   {[]string{"--num-processes=64", "--tokens=65535", "--hidden=65536", "--topk=16"}, 2, "GiB for 64 ranks"},
		"endless soak":      {[]string{"--soak=forever"}, 2, `--soak="forever": neither a number of epochs nor a time`},
		"timed soak":        {[]string{"--soak=10", "--iters=5"}, 2, "--iters: a soak times nothing"},
		"no soak to check":  {[]string{"--soak-check=5"}, 2, "--soak-check=5: there is no soak; try --soak=10m"},
		"no soak to divide": {[]string{"--soak-round=5s"}, 2, "--soak-round=5s: there is no soak"},
		"no launchers":      {[]string{"--nnodes=0"}, 2, "--nnodes=0"},
		"no such node":      {[]string{"--nnodes=2", "--node-rank=2"}, 2, "--node-rank=2"},
		"too many nodes":    {[]string{"--nnodes=33", "--etcd-endpoints=127.0.0.1:1", "--run-id=r"}, 2, "264 ranks in all, more than 256; try --num-processes=7"},
		"nowhere to meet":   {[]string{"--nnodes=2", "--run-id=r"}, 2, "--master-addr=HOST"},
		"no common name":    {[]string{"--nnodes=2", "--etcd-endpoints=127.0.0.1:1"}, 2, "--run-id"},
		"bad name":          {[]string{"--run-id=a/b"}, 2, `--run-id="a/b"`},
		"bad endpoint":      {[]string{"--etcd-endpoints=here"}, 2, "not host:port"},
		"half a pair":       {[]string{"--etcd-endpoints=127.0.0.1:1", "--etcd-key=k"}, 2, "--etcd-cert and --etcd-key"},
		"files for no etcd": {[]string{"--etcd-ca=ca"}, 2, "--etcd-endpoints is missing"},
		"no authority":      {[]string{"--etcd-endpoints=127.0.0.1:1", "--etcd-ca=ca"}, 1, "--etcd-endpoints: read an authority: "},
		"etcd for all":      {[]string{"coordinator", "--listen=0.0.0.0:0"}, 2, "beyond loopback only with TLS client authentication"},
		"etcd, half of TLS": {[]string{"coordinator", "--etcd-ca=ca"}, 2, "three files"},
		"etcd, no address":  {[]string{"coordinator", "--listen=2379"}, 2, "try 127.0.0.1:2379"},
		"etcd, a word":      {[]string{"coordinator", "now"}, 2, "takes no arguments"},
		"rank by hand":      {[]string{"rank"}, 2, "perf starts its ranks itself"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, test.arguments...)
			code := p.run(t)
			text := p.stderr.String()
			if code != test.wantCode || !strings.Contains(text, test.want) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q", code, test.wantCode, text, test.want)
			}
			if !strings.HasPrefix(text, "perf: ") || strings.Count(text, "\n") != 1 {
				t.Errorf("not one line: %q", text)
			}
			if p.stdout.Len() > 0 {
				t.Errorf("stdout %q", &p.stdout)
			}
			if files, _ := os.ReadDir(p.folder); len(files) > 0 {
				t.Errorf("made %v", files)
			}
		})
	}
}

func TestOutputFolder(t *testing.T) {
	one := with(small, "--num-processes=1")
	t.Run("relative", func(t *testing.T) {
		p := newProgram(t, with(one, "--output=here/there")...)
		if code := p.run(t); code != 0 {
			t.Fatalf("exit code %d: %s", code, &p.stderr)
		}
		p.record(t, filepath.Join(p.folder, "here/there"))
	})
	t.Run("where bazel run was typed", func(t *testing.T) {
		p := newProgram(t, one...)
		stands := t.TempDir()
		p.Env = append(p.Env, "BUILD_WORKING_DIRECTORY="+stands)
		if code := p.run(t); code != 0 {
			t.Fatalf("exit code %d: %s", code, &p.stderr)
		}
		kept := p.record(t, filepath.Join(stands, "epperf-results"))
		// As the user would type it there.
		if want := "Record: epperf-results/" + filepath.Base(kept.Path) + "\n"; !strings.Contains(p.stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
		}
	})
	t.Run("absolute", func(t *testing.T) {
		folder := t.TempDir()
		p := newProgram(t, with(one, "--output="+folder)...)
		p.Env = append(p.Env, "BUILD_WORKING_DIRECTORY=/")
		if code := p.run(t); code != 0 {
			t.Fatalf("exit code %d: %s", code, &p.stderr)
		}
		p.record(t, folder)
	})
	t.Run("cannot be made", func(t *testing.T) {
		p := newProgram(t, with(one, "--output=/dev/null/results")...)
		if code := p.run(t); code != 1 || !strings.Contains(p.stderr.String(), "--output") || strings.Count(p.stderr.String(), "\n") != 1 {
			t.Errorf("exit code %d, stderr %q", code, &p.stderr)
		}
		if p.stdout.Len() > 0 {
			t.Errorf("stdout %q", &p.stdout)
		}
	})
}

func TestRecordSaysWhereAndWhat(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--seed=7", "--timeout=60", "--skip-nic-discovery")...)
	p.Env = append(p.Env, "UCX_TLS=tcp")
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	header := p.record(t, filepath.Join(p.folder, "epperf-results")).Header
	if header.GetPlan().GetCases()[0].GetSeed() != 7 || header.GetPlan().GetTimeoutNs() != 60e9 {
		t.Errorf("plan %v", header.GetPlan())
	}
	if len(header.GetBuildId()) != 16 || header.GetStartedUnixNs() < p.began.UnixNano() {
		t.Errorf("build id %q, started %d", header.GetBuildId(), header.GetStartedUnixNs())
	}
	host := header.GetHosts()[0]
	if host.GetName() == "" || host.GetUsableCpus() == 0 || host.GetFlushBytesOfRank() < 4<<20 || strings.Join(host.GetUcxEnvironment(), " ") != "UCX_TLS=tcp" {
		t.Errorf("host %v", host)
	}
	if header.GetPlan().GetDevice() != epperfv1.Device_DEVICE_CPU {
		t.Errorf("device %v", header.GetPlan().GetDevice())
	}
}
