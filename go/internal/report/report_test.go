package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/record/recordtest"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/report/screentest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

var update = flag.Bool("update", false, "write testdata anew")

// The screens of testdata/screen are the contract: no flag writes them anew.
func TestScreensOfTheContract(t *testing.T) {
	for name, mode := range map[string]epperfv1.Mode{
		"dispatch": epperfv1.Mode_MODE_DISPATCH,
		"combine":  epperfv1.Mode_MODE_COMBINE,
		"e2e":      epperfv1.Mode_MODE_E2E,
	} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "screen", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			text, passed := show(t, recordtest.Passed(mode).Write(t))
			if diff := cmp.Diff(string(want), screentest.Mask(text)); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
			if !passed {
				t.Error("the run did not pass")
			}
		})
	}
}

func TestScreens(t *testing.T) {
	for name, test := range map[string]struct {
		run     func(*recordtest.Run)
		partial bool
		passed  bool
	}{
		"figures":          {run: func(*recordtest.Run) {}, passed: true},
		"bf16":             {run: func(r *recordtest.Run) { r.Case().Dtype = epperfv1.Dtype_DTYPE_BF16 }, passed: true},
		"layout":           {run: func(r *recordtest.Run) { r.Case().Layout = epperfv1.Layout_LAYOUT_FLAT }, passed: true},
		"by_expert":        {run: byExpert, passed: true},
		"quantize_outside": {run: quantisedOutside, passed: true},
		"few_ranks":        {run: fewRanks, passed: true},
		"uneven":           {run: uneven, passed: true},
		"wrong_row":        {run: wrongRow},
		"died":             {run: died},
		"interrupted":      {run: interrupted},
		"incomplete":       {run: func(*recordtest.Run) {}, partial: true},
		"two_cases":        {run: twoCases, passed: true},
		"sweep":            {run: swept},
		"sweep_gpus":       {run: sweptOnGPUs, passed: true},
		"two_hosts":        {run: twoHosts, passed: true},
		"hostile_text":     {run: hostileText},
		"routing_file":     {run: routingFile, passed: true},
		"detail":           {run: detailed, passed: true},
		"no_limit":         {run: withoutLimit, passed: true},
		"no_limit_two":     {run: withoutLimitOfTwo, passed: true},
		"no_gpus":          {run: noGPUs, passed: true},
		"one_gpu":          {run: oneGPU, passed: true},
		"one_gpu_measured": {run: calibratedBesideOneGPU, passed: true},
		"gpus":             {run: func(r *recordtest.Run) { r.OnGPUs(8) }, passed: true},
		"throttled":        {run: throttledGPUs, passed: true},
		"two_groups":       {run: twoGroups, passed: true},
		"contended":        {run: contended, passed: true},
		"gpus_mixed":       {run: mixedGPUs, passed: true},
		"gpus_sms":         {run: someSMs, passed: true},
		"gpus_sms_mixed":   {run: someSMsOfMixedGPUs, passed: true},
		"gpus_sms_unknown": {run: someSMsOfUnknownGPUs, passed: true},
		"gpus_unknown":     {run: func(r *recordtest.Run) { r.OnGPUs(8); r.Header.Hosts[0].Gpus = nil }, passed: true},
		"gpus_detail":      {run: detailedOnGPUs(8), passed: true},
		"gpus_by_expert":   {run: byExpertOnGPUs, passed: true},
		"shared_gpu":       {run: detailedOnGPUs(1), passed: true},
		"beside":           {run: func(r *recordtest.Run) { *r = *recordtest.Beside(epperfv1.Mode_MODE_E2E) }, passed: true},
		"beside_shared":    {run: besideOnSharedSMs, passed: true},
		"beside_unknown":   {run: besideOnUnknownSMs, passed: true},
		"elastic":          {run: func(r *recordtest.Run) { *r = *recordtest.Phased() }, passed: true},
		"control":          {run: func(r *recordtest.Run) { *r = *recordtest.Controlled() }, passed: true},
		"calibration":      {run: calibrated, passed: true},
		"calibration_gpus": {run: calibratedGPUs, passed: true},
		"lonely":           {run: lonely, passed: true},
		"copied_wrong":     {run: copiedWrong},
		"soak":             {run: func(r *recordtest.Run) { *r = *recordtest.Soaked() }, passed: true},
		"soak_wrong":       {run: soakWrong},
		"soak_interrupted": {run: soakInterrupted},
		"network":          {run: overNetwork, passed: true},
		"network_detail":   {run: detailedOverNetwork, passed: true},
		"networks":         {run: overNetworks, passed: true},
		"network_unknown":  {run: overUnknownNetwork, passed: true},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			test.run(run)
			write := run.Write
			if test.partial {
				write = run.WritePartial
			}
			path := write(t)
			text, passed := show(t, path)
			if passed != test.passed {
				t.Errorf("passed = %t; want %t", passed, test.passed)
			}
			compareGolden(t, name+".txt", strings.ReplaceAll(text, path, "PATH"))
		})
	}
}

func byExpert(r *recordtest.Run) {
	r.Case().Layout, r.Case().Combine = epperfv1.Layout_LAYOUT_CONTIG, epperfv1.CombineSum_COMBINE_SUM_EXPERT
}

func quantisedOutside(r *recordtest.Run) {
	byExpert(r)
	r.Case().Quantize = epperfv1.Quantize_QUANTIZE_OUTSIDE
}

func fewRanks(r *recordtest.Run) {
	r.Case().Ranks, r.Case().TokensOfRank = 2, r.Case().TokensOfRank[:2]
	r.Header.Plan.RanksPerHost = 2
	r.Header.Plan.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE
	r.Header.Hosts[0].UsableCpus = 8
	r.Samples, r.Results = r.Samples[:2], r.Results[:2]
}

// The last rank has no tokens: no bandwidth, but a latency.
func uneven(r *recordtest.Run) {
	r.Case().TokensOfRank[7] = 0
	r.Results[7].Traffic = &epperfv1.Traffic{SelectionsOfExpert: []uint64{3}}
}

func wrongRow(r *recordtest.Run) {
	expert := uint32(77)
	r.Results[2].Passed = false
	r.Results[2].Error = "check after the timed block: 3 wrong rows"
	r.Results[2].Check.Wrong = 3
	r.Results[2].Check.First = &epperfv1.WrongRow{
		Kind: epperfv1.WrongRow_KIND_DISPATCH_ROW, Rank: 2, SourceRank: 5, Token: 17,
		Expert: &expert, Channel: 640, Got: 0x38, Want: 0xba,
	}
	r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "rank 2: 3 wrong rows"
}

// Rank 3 was killed in the middle, rank 4 gave up waiting for it.
func died(r *recordtest.Run) {
	r.Samples[3].DurationNs = r.Samples[3].DurationNs[:40]
	r.Samples[4].DurationNs = r.Samples[4].DurationNs[:40]
	r.Results[4].Passed = false
	r.Results[4].Error = "dispatch, epoch 52: nothing from rank 3 for 10 s"
	r.Results = append(r.Results[:3], r.Results[4:]...)
	r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "rank 3 (pid 4242) was killed by a signal: killed"
}

func soakInterrupted(r *recordtest.Run) {
	*r = *recordtest.Soaked()
	r.Status, r.Error = epperfv1.Trailer_STATUS_INTERRUPTED, "interrupted by SIGINT"
	r.Case().Soak = &epperfv1.Soak{DurationNs: uint64(10 * time.Minute)}
	for rank, result := range r.Results {
		result.Passed, result.Error = false, "soak: told to stop"
		result.Soak.Epochs -= uint64(rank)
	}
}

func interrupted(r *recordtest.Run) {
	r.Samples, r.Results = nil, nil
	r.Status = epperfv1.Trailer_STATUS_INTERRUPTED
}

func twoCases(r *recordtest.Run) {
	other := recordtest.Passed(epperfv1.Mode_MODE_COMBINE)
	r.Header.Plan.Cases = append(r.Header.Plan.Cases, other.Case())
	for _, samples := range other.Samples {
		samples.CaseIndex = 1
	}
	for _, result := range other.Results {
		result.CaseIndex = 1
	}
	r.Samples, r.Results = append(r.Samples, other.Samples...), append(r.Results, other.Results...)
}

func twoHosts(r *recordtest.Run) {
	r.Header.Plan.RanksPerHost = 4
	r.Header.Hosts = []*epperfv1.Host{{Name: "node-a", UsableCpus: 4}, {Name: "node-b", UsableCpus: 4}}
}

// The path is a machine's own; what a routing is, is its content.
func routingFile(r *recordtest.Run) {
	r.Case().Routing = &epperfv1.Routing{
		Kind: epperfv1.Routing_KIND_FILE,
		File: &epperfv1.RoutingFile{Path: "/home/ann/ids.npy", Sha256: bytes.Repeat([]byte{0xa5}, 32)},
	}
}

func detailed(r *recordtest.Run) {
	*r = *recordtest.Detailed(epperfv1.Mode_MODE_E2E)
	r.Header.Limit = limitOf(recordtest.Calibrated())
}

func detailedOnGPUs(gpus int) func(*recordtest.Run) {
	return func(r *recordtest.Run) {
		*r = *recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_E2E, gpus)
		r.Header.Limit = limitOf(recordtest.CalibratedGPUs())
	}
}

func byExpertOnGPUs(r *recordtest.Run) {
	detailedOnGPUs(8)(r)
	r.Case().Combine = epperfv1.CombineSum_COMBINE_SUM_EXPERT
}

// limitOf takes all that a calibration measured.
func limitOf(calibration *recordtest.Run) *epperfv1.Limit {
	return &epperfv1.Limit{RunId: "cafe0123", Case: calibration.Case(), Samples: calibration.Samples}
}

func throttledGPUs(r *recordtest.Run) {
	r.OnGPUs(8)
	r.Results[3].GpuAfter = &epperfv1.GpuState{ThrottleReasons: new(uint64(0x04))}
	r.Results[5].GpuBefore = &epperfv1.GpuState{ThrottleReasons: new(uint64(0x28))}
}

func noGPUs(r *recordtest.Run) {
	r.Header.Hosts[0].GpuSearch = &epperfv1.GpuSearch{
		None: "count GPUs: cudaErrorNoDevice: no CUDA-capable device is detected", InSys: 2, VisibleDevices: new("0,0\x1b[2J"),
	}
}

func oneGPU(r *recordtest.Run) {
	r.Header.Hosts[0].GpuSearch = &epperfv1.GpuSearch{Usable: 1, InSys: 1}
}

func calibratedBesideOneGPU(r *recordtest.Run) {
	calibrated(r)
	oneGPU(r)
}

func someSMs(r *recordtest.Run) {
	r.OnGPUs(8)
	r.Case().Sms = 24
}

func someSMsOfMixedGPUs(r *recordtest.Run) {
	someSMs(r)
	r.Case().Layout = epperfv1.Layout_LAYOUT_FLAT
	r.Header.Hosts[0].Gpus[6].Multiprocessors = 114
}

func someSMsOfUnknownGPUs(r *recordtest.Run) {
	someSMs(r)
	r.Case().Sms = 1
	r.Header.Hosts[0].Gpus = nil
}

func contended(r *recordtest.Run) {
	r.OnGPUs(8)
	for rank, result := range r.Results {
		result.Load = &epperfv1.Load{WindowNs: 350e6, WaitedNs: new(uint64(20e6 * rank))}
		result.GpuAfter = &epperfv1.GpuState{Processes: []*epperfv1.GpuProcess{{Pid: 5, Own: true}, {Pid: 6, Name: "train\x1b[2J", SmPercent: new(uint32(57))}}}
	}
	r.Results[0].Load.Host = &epperfv1.HostLoad{
		WindowNs: 360e6, Cpus: 8, StolenNs: new(uint64(360e6)), ThrottledNs: new(uint64(120e6)),
		Others: []*epperfv1.Process{{Pid: 7, Name: "yes", CpuNs: 350e6}, {Pid: 8, CpuNs: 180e6}},
	}
	for _, result := range r.Results[2:] {
		result.GpuAfter = nil
	}
}

// Both ranks wait for what is late, so all jump together.
func twoGroups(r *recordtest.Run) {
	r.OnGPUs(8)
	for _, samples := range r.Samples {
		for i := range samples.DurationNs {
			samples.DurationNs[i] = 13_100 + 10*uint64(i%7)
			if i%8 < 3 {
				samples.DurationNs[i] = 408_200 + 300*uint64(i%7)
			}
		}
	}
}

func mixedGPUs(r *recordtest.Run) {
	r.OnGPUs(8)
	r.Case().Dtype = epperfv1.Dtype_DTYPE_BF16
	for _, gpu := range r.Header.Hosts[0].Gpus[6:] {
		gpu.Name = "NVIDIA H100\x1b[2J"
	}
}

func withoutLimit(r *recordtest.Run) { *r = *recordtest.Detailed(epperfv1.Mode_MODE_DISPATCH) }

func withoutLimitOfTwo(r *recordtest.Run) {
	withoutLimit(r)
	twoHosts(r)
}

func calibrated(r *recordtest.Run) { *r = *recordtest.Calibrated() }

// One rank has nobody to flag.
func lonely(r *recordtest.Run) {
	calibrated(r)
	r.Case().Ranks, r.Case().TokensOfRank = 1, []uint32{1}
	r.Header.Plan.RanksPerHost = 1
	r.Case().Passes = slices.DeleteFunc(r.Case().Passes, func(p *epperfv1.Pass) bool { return p.GetKind() == epperfv1.Pass_KIND_ROUND_TRIPS })
	r.Samples = slices.DeleteFunc(r.Samples, func(s *epperfv1.Samples) bool { return s.GetRank() > 0 || s.GetPass() == 4 })
	r.Samples[4].Pass, r.Results = 4, r.Results[:1]
}

func copiedWrong(r *recordtest.Run) {
	calibrated(r)
	r.Results[1].Passed, r.Results[1].Error = false, "1 of 640 checked rows are wrong"
	r.Results[1].Check.Wrong = 1
	r.Results[1].Check.First = &epperfv1.WrongRow{
		Kind: epperfv1.WrongRow_KIND_COPIED_ROW, Rank: 1, Token: 17, Channel: 640, Got: 0x3f80, Want: 0xbf80,
	}
	r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "rank 1: 1 wrong row"
}

func hostileText(r *recordtest.Run) {
	r.Results[0].Passed = false
	r.Results[0].Error = "first line\nChecked: 8/8 ranks\x1b[2J\u202e"
	r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "\x07bell"
}

func calibratedGPUs(r *recordtest.Run) { *r = *recordtest.CalibratedGPUs() }

func TestShowWritesNothingAboutAFileThatIsNoRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "letter.txt")
	if err := os.WriteFile(path, []byte("Dear reader,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if passed, err := report.Show(&out, path); err == nil || passed || out.Len() > 0 {
		t.Errorf("Show = %t, %v with %q; want an error and no text", passed, err, &out)
	}
}

func show(t *testing.T, path string) (text string, passed bool) {
	t.Helper()
	var out bytes.Buffer
	passed, err := report.Show(&out, path)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), passed
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", name, diff)
	}
}
