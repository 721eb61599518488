package native_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/native"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Each row is kept once, or padding comes in; what comes back is one row a selection.
func TestMemoryFollowsTheLayout(t *testing.T) {
	needed := func(change func(*epperfv1.Case)) native.Memory {
		c := smallCase()
		c.Hidden = 7168
		change(c)
		memory, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1, ReceivedSelections: 32})
		if err != nil {
			t.Fatal(err)
		}
		return memory
	}
	expert := needed(func(*epperfv1.Case) {})
	contig := needed(func(c *epperfv1.Case) { c.Layout = epperfv1.Layout_LAYOUT_CONTIG })
	flat := needed(func(c *epperfv1.Case) { c.Layout = epperfv1.Layout_LAYOUT_FLAT })
	byExpert := needed(func(c *epperfv1.Case) { c.Combine = epperfv1.CombineSum_COMBINE_SUM_EXPERT })
	if contig.PrivateBytes <= expert.PrivateBytes || flat.PrivateBytes >= expert.PrivateBytes {
		t.Errorf("contig takes %d bytes, expert %d, flat %d", contig.PrivateBytes, expert.PrivateBytes, flat.PrivateBytes)
	}
	if expert.RegionBytes != contig.RegionBytes || byExpert.RegionBytes <= expert.RegionBytes {
		t.Errorf("regions: expert %d bytes, contig %d, by expert %d", expert.RegionBytes, contig.RegionBytes, byExpert.RegionBytes)
	}
}

func TestSectionsAreTheRegion(t *testing.T) {
	for name, test := range map[string]struct {
		tokens, hidden, experts, topk uint32
		dtype                         epperfv1.Dtype
		wantMB                        uint64
	}{
		"128 tokens, fp8":  {128, 7168, 36, 8, epperfv1.Dtype_DTYPE_FP8, 44},
		"128 tokens, bf16": {128, 7168, 36, 8, epperfv1.Dtype_DTYPE_BF16, 58},
		"512 tokens, fp8":  {512, 4096, 8, 2, epperfv1.Dtype_DTYPE_FP8, 101},
	} {
		t.Run(name, func(t *testing.T) {
			c := smallCase()
			c.Ranks, c.TokensOfRank, c.Dtype = 8, slices.Repeat([]uint32{test.tokens}, 8), test.dtype
			c.Hidden, c.ExpertsPerRank, c.Topk = test.hidden, test.experts, test.topk
			memory, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			sum := sumOfSections(t, c, epperfv1.Device_DEVICE_CPU, 1)
			if sum != memory.RegionBytes || sum/1_000_000 != test.wantMB {
				t.Errorf("sections have %d bytes, the region %d; want some %d MB", sum, memory.RegionBytes, test.wantMB)
			}
		})
	}
}

func sumOfSections(t *testing.T, c *epperfv1.Case, device epperfv1.Device, threads int) uint64 {
	t.Helper()
	sections, err := native.Sections(c, native.Site{Device: device, Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, section := range sections {
		sum += section.Bytes
	}
	return sum
}

// Workers have words of their own in a region, so its size depends on how many there are.
func TestARegionIsAsLargeAsForetold(t *testing.T) {
	c := smallCase()
	c.TokensOfRank = []uint32{300, 300}
	sizes := map[uint64]bool{}
	for _, threads := range []int{1, 3, 64} {
		memory, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if sum := sumOfSections(t, c, epperfv1.Device_DEVICE_CPU, threads); sum != memory.RegionBytes {
			t.Errorf("%d threads: sections have %d bytes, the region %d", threads, sum, memory.RegionBytes)
		}
		before := sharedRegions(t)
		engine := openWith(t, c, native.Config{Threads: threads})
		if got := sharedRegions(t) - before; got != memory.RegionBytes {
			t.Errorf("%d threads: a region of %d bytes was foretold, there is one of %d", threads, memory.RegionBytes, got)
		}
		engine.Close()
		sizes[memory.RegionBytes] = true
	}
	if len(sizes) < 2 {
		t.Error("regions of all numbers of threads have the same size")
	}
	if _, err := native.Sections(c, native.Site{Device: epperfv1.Device_DEVICE_CPU}); err == nil {
		t.Error("a rank without a thread has a region")
	}
	if _, err := native.Sections(c, native.Site{Threads: 1}); err == nil {
		t.Error("a rank of no device has a region")
	}
}

// sharedRegions adds up the regions that this process has made: they are memory without a name.
func sharedRegions(t *testing.T) uint64 {
	t.Helper()
	const descriptors = "/proc/self/fd"
	open, err := os.ReadDir(descriptors)
	if err != nil {
		t.Fatal(err)
	}
	var bytes uint64
	for _, each := range open {
		path := filepath.Join(descriptors, each.Name())
		if what, _ := os.Readlink(path); !strings.Contains(what, "epperf-region") {
			continue // or it is that of the folder, which is closed by now
		}
		described, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes += uint64(described.Size())
	}
	return bytes
}

func TestACalibrationNeedsItsRowsTwiceAndNoFlush(t *testing.T) {
	c := smallCase()
	plain, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.Mode, c.Passes = epperfv1.Mode_MODE_UNSPECIFIED, []*epperfv1.Pass{{Kind: epperfv1.Pass_KIND_COPY, Rows: 1000, DistinctRows: 1}}
	landing, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	const rowBytes = 2 * 256
	if got := landing.RegionBytes - plain.RegionBytes; got != 1000*rowBytes+128 {
		t.Errorf("its region has %d bytes more", got)
	}
	if got := landing.PrivateBytes - (plain.PrivateBytes - plain.FlushBytes); got != 1000*rowBytes {
		t.Errorf("it has %d bytes more of its own", got)
	}
}

// Besides BF16, three sets of all tokens' codes and scales.
func TestRowsThatAreQuantisedBeforeNeedMemory(t *testing.T) {
	c := smallCase()
	inside, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.Quantize = epperfv1.Quantize_QUANTIZE_OUTSIDE
	outside, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := inside
	want.PrivateBytes += 3 * uint64(c.GetTokensOfRank()[0]) * (256 + 2*4)
	if outside != want {
		t.Errorf("memory %+v; want %+v", outside, want)
	}
	c.Dtype = epperfv1.Dtype_DTYPE_BF16
	if _, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1}); err == nil {
		t.Error("the core quantises BF16")
	}
}

// docs/architecture.md has these sums.
func TestMemoryNeededAtTheSeedsShape(t *testing.T) {
	c := smallCase()
	c.Ranks, c.TokensOfRank, c.Hidden, c.ExpertsPerRank, c.Topk = 8, []uint32{128, 128, 128, 128, 128, 128, 128, 128}, 7168, 36, 8
	memory, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1, ReceivedSelections: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if got := memory.RegionBytes; got != 44_677_120 {
		t.Errorf("a region has %d bytes, want 44,677,120", got)
	}
	// 1024 rows of 7168 + 224 + 8 + 3 * 14336 bytes, 128 tokens in and out.
	if got := memory.PrivateBytes / 1_000_000; got != 59 {
		t.Errorf("a rank has %d bytes of its own, want some 59 MB", memory.PrivateBytes)
	}
	c.Hidden = 100
	if _, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1, ReceivedSelections: 1024}); err == nil {
		t.Error("a hidden size of 100 was accepted")
	}
}

func TestWithoutMappedMemoryPeersHaveImages(t *testing.T) {
	c := smallCase()
	c.Ranks, c.TokensOfRank = 3, []uint32{4, 4, 4}
	mapped, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, RanksOnHost: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := native.MemoryNeeded(c, native.CPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL, RanksOnHost: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	// A region has an area of each of three ranks.
	if sent.ImageBytes == 0 || sent.ImageBytes > sent.RegionBytes*2/3 {
		t.Errorf("images of two peers have %d bytes, a region of three ranks %d", sent.ImageBytes, sent.RegionBytes)
	}
	if mapped.ImageBytes != 0 || sent.PrivateBytes != mapped.PrivateBytes+sent.ImageBytes || sent.RegionBytes != mapped.RegionBytes {
		t.Errorf("mapped: %+v, sent: %+v", mapped, sent)
	}
}
