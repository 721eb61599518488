package plan_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestDefaultsArePlanned(t *testing.T) {
	options := plan.Defaults()
	options.RunID = "a"
	got, err := plan.New(options)
	if err != nil {
		t.Fatal(err)
	}
	want := &epperfv1.Plan{
		RunId: "a",
		Cases: []*epperfv1.Case{{
			Mode:           epperfv1.Mode_MODE_E2E,
			Ranks:          8,
			TokensOfRank:   []uint32{512, 512, 512, 512, 512, 512, 512, 512},
			Hidden:         4096,
			ExpertsPerRank: 8,
			Topk:           2,
			Dtype:          epperfv1.Dtype_DTYPE_FP8,
			Routing:        &epperfv1.Routing{Kind: epperfv1.Routing_KIND_UNIFORM},
			Seed:           1,
			Warmup:         10,
			Passes:         []*epperfv1.Pass{epperfv1.Operations(epperfv1.Mode_MODE_E2E, 100)},
		}},
		Device:         epperfv1.Device_DEVICE_CPU,
		NvlinkBackend:  epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC,
		RanksPerHost:   8,
		WaitTimeoutNs:  10e9,
		TimeoutNs:      300e9,
		ThreadsPerRank: new(uint32(1)),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("New(Defaults()) (-want +got):\n%s", diff)
	}
}

func TestLayoutsAndWaysToCombineArePlanned(t *testing.T) {
	for _, test := range []struct{ layout, combine, name string }{
		{"expert", "rank", "e2e/t512/k2"},
		{"expert", "expert", "e2e/t512/k2/expert/expert"},
		{"contig", "rank", "e2e/t512/k2/contig/rank"},
		{"contig", "expert", "e2e/t512/k2/contig/expert"},
		{"flat", "rank", "e2e/t512/k2/flat/rank"},
		{"rank", "rank", "e2e/t512/k2/rank/rank"},
	} {
		options := plan.Defaults()
		options.Layout, options.Combine = test.layout, test.combine
		made, err := plan.New(options)
		if err != nil {
			t.Errorf("New of --layout=%s --combine=%s: %v", test.layout, test.combine, err)
			continue
		}
		c := made.GetCases()[0]
		layout, combine := epperfv1.Name(epperfv1.LayoutOf(c)), epperfv1.Name(epperfv1.CombineSumOf(c))
		if layout != test.layout || combine != test.combine || plan.CaseName(c) != test.name {
			t.Errorf("--layout=%s --combine=%s is planned as %s, %s, named %s", test.layout, test.combine, layout, combine, plan.CaseName(c))
		}
	}
}

func TestWhereRowsAreQuantisedIsPlanned(t *testing.T) {
	for text, name := range map[string]string{"inside": "e2e/t512/k2", "outside": "e2e/t512/k2/outside"} {
		options := plan.Defaults()
		options.Quantize = text
		made, err := plan.New(options)
		if err != nil {
			t.Fatalf("New of --quantize=%s: %v", text, err)
		}
		c := made.GetCases()[0]
		if got := epperfv1.Name(epperfv1.QuantizeOf(c)); got != text || plan.CaseName(c) != name {
			t.Errorf("--quantize=%s is planned as %s, named %s", text, got, plan.CaseName(c))
		}
	}
}

func TestEachPlanWithoutARunIDGetsOneOfItsOwn(t *testing.T) {
	ids := map[string]bool{}
	for range 10 {
		made, err := plan.New(plan.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		ids[made.GetRunId()] = true
		if !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(made.GetRunId()) {
			t.Errorf("run id %q", made.GetRunId())
		}
	}
	if len(ids) != 10 {
		t.Errorf("10 plans have %d run ids", len(ids))
	}
}

func TestBadValuesAreOneClearLine(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*plan.Options)
		want   string
	}{
		"hidden between multiples": {
			func(o *plan.Options) { o.Hidden = 2881 },
			"--hidden=2881: must be a multiple of 8; try --hidden=2888",
		},
		"hidden of 0": {
			func(o *plan.Options) { o.Hidden = 0 },
			"--hidden=0: must be 8 to 65,536; try --hidden=8",
		},
		"hidden beyond any model": {
			func(o *plan.Options) { o.Hidden = 65_544 },
			"--hidden=65544: must be 8 to 65,536; try --hidden=65536",
		},
		"no ranks": {
			func(o *plan.Options) { o.NumProcesses = 0 },
			"--num-processes=0: must be 1 to 256; try --num-processes=1",
		},
		"too many ranks": {
			func(o *plan.Options) { o.NumProcesses = 257 },
			"--num-processes=257: must be 1 to 256; try --num-processes=256",
		},
		"negative tokens": {
			func(o *plan.Options) { o.Tokens = "-1" },
			"--tokens=-1: must be 0 to 65,535; try --tokens=0",
		},
		"no tokens anywhere": {
			func(o *plan.Options) { o.Tokens = "0" },
			"--tokens=0: at least one rank needs a token; try --tokens=1",
		},
		"more tokens than 32 bits": {
			func(o *plan.Options) { o.Tokens = "4294967297" },
			"--tokens=4294967297: must be 0 to 65,535; try --tokens=65535",
		},
		"more tokens than 64 bits": {
			func(o *plan.Options) { o.Tokens = "99999999999999999999" },
			"--tokens=99999999999999999999: must be 0 to 65,535; try --tokens=65535",
		},
		"tokens in words": {
			func(o *plan.Options) { o.Tokens = "many" },
			`--tokens="many": neither a number nor one for each rank; try --tokens=512`,
		},
		"tokens of too few ranks": {
			func(o *plan.Options) { o.NumProcesses, o.Tokens = 3, "128,0" },
			"--tokens=128,0: has 2 numbers for 3 ranks; try --tokens=128",
		},
		"tokens of too many ranks": {
			func(o *plan.Options) { o.NumProcesses, o.Tokens = 2, "1,2,3" },
			"--tokens=1,2,3: has 3 numbers for 2 ranks; try --tokens=1",
		},
		"tokens with a hole": {
			func(o *plan.Options) { o.NumProcesses, o.Tokens = 3, "1,,3" },
			`--tokens="1,,3": neither a number nor one for each rank; try --tokens=512`,
		},
		"a rank of too many tokens": {
			func(o *plan.Options) { o.NumProcesses, o.Tokens = 2, "1,65536" },
			"--tokens=65536: must be 0 to 65,535; try --tokens=65535",
		},
		"more experts than ids": {
			func(o *plan.Options) { o.ExpertsPerRank = 9000 },
			"--experts-per-rank=9000: 8 ranks would have 72,000 experts, more than 65,535; try --experts-per-rank=8191",
		},
		"topk of 33": {
			func(o *plan.Options) { o.Topk = 33 },
			"--topk=33: must be 1 to 32; try --topk=32",
		},
		"negative multiprocessors": {
			func(o *plan.Options) { o.SMs = -1 },
			"--sms=-1: must be 0 to 1,024; try --sms=0",
		},
		"multiprocessors of CPUs": {
			func(o *plan.Options) { o.SMs, o.Device = 24, "cpu" },
			"--sms=24: only GPUs have multiprocessors; try --device=cuda or --sms=0",
		},
		"multiprocessors without a GPU": { // auto is CPUs here
			func(o *plan.Options) { o.SMs = 24 },
			"--sms=24: only GPUs have multiprocessors; try --device=cuda or --sms=0",
		},
		"kernels of CPUs": {
			func(o *plan.Options) { o.Kernel, o.Device = "short", "cpu" },
			"--kernel=short: only GPUs have kernels to choose from; try --device=cuda or --kernel=auto",
		},
		"a kernel that nobody has": {
			func(o *plan.Options) { o.Kernel, o.GPUs = "wide", 8 },
			`--kernel="wide": not one of auto, long, short, packets; try --kernel=auto`,
		},
		"packets of more tokens than they carry": {
			func(o *plan.Options) { o.Kernel, o.GPUs, o.Tokens = "packets", 8, "513" },
			"--kernel=packets: packets are for at most 512 tokens per rank; try --kernel=auto",
		},
		"packets to more ranks than they go to": {
			func(o *plan.Options) { o.Kernel, o.GPUs, o.NumProcesses, o.Topk = "packets", 16, 16, 9 },
			"--kernel=packets: packets are for tokens on at most 8 ranks each; try --kernel=auto",
		},
		"packets that nobody sums": {
			func(o *plan.Options) { o.Kernel, o.GPUs, o.Combine = "packets", 8, "expert" },
			"--kernel=packets: packets are for sums by rank; try --kernel=auto",
		},
		"packets over a network": {
			func(o *plan.Options) { o.Kernel, o.GPUs, o.NvlinkBackend = "packets", 8, "none" },
			"--kernel=packets: packets are for --nvlink-backend=ipc; try --kernel=auto",
		},
		"more multiprocessors than a GPU has": {
			func(o *plan.Options) { o.SMs, o.GPUs, o.Multiprocessors = 133, 8, 132 },
			"--sms=133: a GPU of this host has 132 multiprocessors; try --sms=132, or 0 for all",
		},
		"more choices than experts": {
			func(o *plan.Options) { o.NumProcesses, o.ExpertsPerRank, o.Topk = 2, 2, 5 },
			"--topk=5: a token cannot select more than the 4 experts there are; try --topk=4",
		},
		"one iteration": {
			func(o *plan.Options) { o.Iters = 1 },
			"--iters=1: must be 2 to 1,000,000; try --iters=2",
		},
		"negative warm-up": {
			func(o *plan.Options) { o.Warmup = -3 },
			"--warmup=-3: must be 0 to 1,000,000; try --warmup=0",
		},
		"a mode that there is none of": {
			func(o *plan.Options) { o.Mode = "both" },
			`--mode="both": not one of dispatch, combine, e2e; try --mode=e2e`,
		},
		"a mode by its proto name": {
			func(o *plan.Options) { o.Mode = "MODE_E2E" },
			`--mode="MODE_E2E": not one of dispatch, combine, e2e; try --mode=e2e`,
		},
		"a layout that there is none of": {
			func(o *plan.Options) { o.Layout = "packed" },
			`--layout="packed": not one of expert, rank, flat, contig; try --layout=expert`,
		},
		"a way to combine that there is none of": {
			func(o *plan.Options) { o.Combine = "home" },
			`--combine="home": not one of rank, expert; try --combine=rank`,
		},
		"rows of experts that nobody keeps": {
			func(o *plan.Options) { o.Layout, o.Combine = "flat", "expert" },
			"--combine=expert: layout flat has no row of each expert that could come back; try --layout=expert or --combine=rank",
		},
		"a place to quantise that there is none of": {
			func(o *plan.Options) { o.Quantize = "before" },
			`--quantize="before": not one of inside, outside; try --quantize=inside`,
		},
		"BF16 that is quantised": {
			func(o *plan.Options) { o.Quantize, o.Dtype = "outside", "bf16" },
			"--quantize=outside: rows that travel as bf16 are not quantised; try --dtype=fp8 or --quantize=inside",
		},
		"an unspecified dtype": {
			func(o *plan.Options) { o.Dtype = "unspecified" },
			`--dtype="unspecified": not one of fp8, bf16; try --dtype=fp8`,
		},
		"an unknown device": {
			func(o *plan.Options) { o.Device = "tpu" },
			`--device="tpu": not one of auto, cpu, cuda; try --device=auto`,
		},
		"an unknown backend": {
			func(o *plan.Options) { o.NvlinkBackend = "" },
			`--nvlink-backend="": not one of ipc, nixl, none; try --nvlink-backend=ipc`,
		},
		"no time at all": {
			func(o *plan.Options) { o.Timeout = 0 },
			"--timeout=0s: must be more than 0; try --timeout=5m0s",
		},
		"negative time": {
			func(o *plan.Options) { o.WaitTimeout = -time.Second },
			"--wait-timeout=-1s: must be more than 0; try --wait-timeout=10s",
		},
		"time without end": {
			func(o *plan.Options) { o.WaitTimeout = 1 << 62 },
			"--wait-timeout=1281023h53m38.427387904s: must be more than 0 and at most 720h0m0s; try --wait-timeout=720h0m0s",
		},
		"a run id that is a path": {
			func(o *plan.Options) { o.RunID = "../x" },
			`--run-id="../x": must be 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, test.change, test.want)
		})
	}
}

// refuses fails the test unless the defaults with a change are a UsageError of this text.
func refuses(t *testing.T, change func(*plan.Options), want string) {
	t.Helper()
	options := plan.Defaults()
	change(&options)
	_, err := plan.New(options)
	var usage *plan.UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("New: %v; want a UsageError", err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestEveryBackendIsOneOfGPUs(t *testing.T) {
	for _, backend := range []string{"ipc", "nixl", "none", "nixl-proxy"} {
		options := plan.Defaults()
		options.Device, options.GPUs, options.NvlinkBackend = "cuda", 8, backend
		made, err := plan.New(options)
		if err != nil || epperfv1.Name(made.GetNvlinkBackend()) != backend {
			t.Errorf("--nvlink-backend=%s: New = %v, %v", backend, made.GetNvlinkBackend(), err)
		}
	}
}

func TestTheLimitsThemselvesAreGood(t *testing.T) {
	for name, change := range map[string]func(*plan.Options){
		"smallest": func(o *plan.Options) {
			o.NumProcesses, o.Tokens, o.Hidden, o.ExpertsPerRank, o.Topk, o.Warmup, o.Iters = 1, "1", 8, 1, 1, 0, 2
		},
		"largest": func(o *plan.Options) {
			o.NumProcesses, o.Tokens, o.Hidden, o.ExpertsPerRank, o.Topk = 64, "65535", 65_536, 1023, 32
		},
		"every expert":                       func(o *plan.Options) { o.NumProcesses, o.ExpertsPerRank, o.Topk = 1, 32, 32 },
		"a width of whole groups and a half": func(o *plan.Options) { o.Hidden = 2880 },
	} {
		t.Run(name, func(t *testing.T) {
			options := plan.Defaults()
			change(&options)
			if _, err := plan.New(options); err != nil {
				t.Errorf("New: %v", err)
			}
		})
	}
}
