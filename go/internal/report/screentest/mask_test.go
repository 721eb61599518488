package screentest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/report/screentest"
)

func TestMask(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"figures keep their decimals": {
			"Bandwidth (GB/s): avg=42.88, min=1.00, max=123.45\nLatency (μs):     avg=519.3, min=0.1, max=12345.6\n",
			"Bandwidth (GB/s): avg=#.##, min=#.##, max=#.##\nLatency (μs):     avg=#.#, min=#.#, max=#.#\n",
		},
		"a quantile that there is none of stays": {
			"Slowest rank (μs): p50=1.0 p95=2.0 p99=n/a (99 samples) max=3.0\n",
			"Slowest rank (μs): p50=#.# p95=#.# p99=n/a (99 samples) max=#.#\n",
		},
		"what the plan determines stays": {
			"Bytes per rank: selections=14,680,064 ranks=1 remote=0\nChecked: 8/8 ranks, 111,616 rows, 0 wrong\n",
			"Bytes per rank: selections=14,680,064 ranks=1 remote=0\nChecked: 8/8 ranks, 111,616 rows, 0 wrong\n",
		},
		"no figure that is not a number": {
			"Bandwidth (GB/s): avg=NaN, min=+Inf, max=1.00\n",
			"Bandwidth (GB/s): avg=NaN, min=+Inf, max=#.##\n",
		},
		"copies and flags": {
			"Copy, one rank alone (GB/s):      avg=8.12, min=7.00, max=9.01\nFlag round trip (μs): p50=0.20 p95=n/a (2 samples) max=1.00\n",
			"Copy, one rank alone (GB/s):      avg=#.##, min=#.##, max=#.##\nFlag round trip (μs): p50=#.## p95=n/a (2 samples) max=#.##\n",
		},
		"a share, but not its bytes": {
			"Share of the limit: 61.3% (30,591,196 bytes per rank at 2.18 GB/s, calibration cafe0123)\n",
			"Share of the limit: #.#% (30,591,196 bytes per rank at #.## GB/s, calibration ID)\n",
		},
		"two groups of durations": {
			"Warning: two groups of durations (μs): p50=13.1 (62%) and p50=408.2 (38%)\nChecked: 8/8 ranks\n",
			"Checked: 8/8 ranks\n",
		},
		"a machine that others use": {
			"Warning: ranks waited for CPUs, rank 1 for 48% of the time\nWarning: a hypervisor gave 3% of a host's CPU time to others\nChecked: 8/8 ranks\n",
			"Checked: 8/8 ranks\n",
		},
		"the path": {"Record: a folder/b.epperf\n", "Record: PATH\n"},
	} {
		t.Run(name, func(t *testing.T) {
			masked := screentest.Mask(test.text)
			if diff := cmp.Diff(test.want, masked); diff != "" {
				t.Errorf("Mask (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(masked, screentest.Mask(masked)); diff != "" {
				t.Errorf("Mask of what is masked (-once +twice):\n%s", diff)
			}
		})
	}
}

func TestMaskMachineMasksItsMemory(t *testing.T) {
	const want = "  of its own, at most #\n    cache flush, while it lasts #\nMemory of 8 ranks: # bytes of # that # leaves\n"
	const parts = "  of its own, at most         350,035,920\n    cache flush, while it lasts   256,000,000\n"
	for name, text := range map[string]string{
		"enough":     parts + "Memory of 8 ranks: 385,908,736 bytes of 1,000,000,000 that MemAvailable leaves\n",
		"too little": parts + "Memory of 8 ranks: 385,908,736 bytes, more than the 1,000 that the limit of cgroup /a leaves\n",
		"masked":     want,
	} {
		if diff := cmp.Diff(want, screentest.MaskMachine(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMaskMachine(t *testing.T) {
	const want = "Device: cpu (8 ranks on # cores)\n"
	for name, text := range map[string]string{
		"few cores":   "Device: cpu (8 ranks on 2 cores: checks correctness, not speed)\n",
		"one core":    "Device: cpu (8 ranks on 1 core: checks correctness, not speed)\n",
		"many cores":  "Device: cpu (8 ranks on 64 cores)\n",
		"masked ones": want,
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, screentest.MaskMachine(text)); diff != "" {
				t.Errorf("MaskMachine (-want +got):\n%s", diff)
			}
		})
	}
}
