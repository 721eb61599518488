package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A machine without GPUs says so in one line, and has an engine nevertheless.
func TestAMachineWithoutGPUs(t *testing.T) {
	for name, test := range map[string]struct{ argument, want, try string }{
		"cuda":       {"--device=cuda", "perf: --device=cuda: this host has no GPU that can be used (", "--device=cpu"},
		"shared GPU": {"--shared-gpu", "perf: --shared-gpu: this host has no GPU that can be used (", "without, on CPUs"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, with(small, test.argument)...)
			code := p.run(t)
			text := p.stderr.String()
			if code != 1 || !strings.HasPrefix(text, test.want) || !strings.HasSuffix(text, "); try "+test.try+"\n") || strings.Count(text, "\n") != 1 {
				t.Errorf("exit code %d, stderr %q; want 1 and one line %q…", code, text, test.want)
			}
			if files, _ := os.ReadDir(p.folder); p.stdout.Len() > 0 || len(files) > 0 {
				t.Errorf("stdout %q, files %v", &p.stdout, files)
			}
		})
	}
	for name, test := range map[string]struct{ argument, want string }{
		"SMs of CPUs":     {"--device=cpu", "perf: --sms=24: only GPUs have multiprocessors; try --device=cuda or --sms=0; see perf --help\n"},
		"SMs of whatever": {"--device=auto", "perf: --sms=24: only GPUs have multiprocessors; try --device=cuda or --sms=0; see perf --help\n"},
		"a meter of CPUs": {"--beside=gemm", "perf: --beside=gemm: only GPUs have multiprocessors to leave; try --device=cuda; see perf --help\n"},
		"too many of any": {"--sms=1025", "perf: --sms=1025: must be 0 to 1,024; try --sms=1024; see perf --help\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, with(small, "--sms=24", test.argument)...)
			if code := p.run(t); code != 2 || p.stderr.String() != test.want {
				t.Errorf("exit code %d, stderr %q; want 2 and %q", code, &p.stderr, test.want)
			}
		})
	}
	t.Run("auto, of a user who chose GPUs", func(t *testing.T) {
		p := newProgram(t, with(small, "--num-processes=2")...)
		p.Env = append(p.Env, "CUDA_VISIBLE_DEVICES=0,0")
		const want = "\nGPUs: none is used: count GPUs: "
		if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), want) || !strings.Contains(p.stdout.String(), "; CUDA_VISIBLE_DEVICES=0,0\n") {
			t.Errorf("exit code %d, stderr %q; want %q in\n%s", code, &p.stderr, want, &p.stdout)
		}
		if search := p.record(t, filepath.Join(p.folder, "epperf-results")).Header.GetHosts()[0].GetGpuSearch(); search.GetNone() == "" || search.GetVisibleDevices() != "0,0" {
			t.Errorf("the record has %v", search)
		}
	})
	t.Run("auto", func(t *testing.T) {
		p := newProgram(t, with(small, "--num-processes=2", "--device=auto")...)
		if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), "\nDevice: cpu (") {
			t.Errorf("exit code %d, stderr %q:\n%s", code, &p.stderr, &p.stdout)
		}
		if gpus := p.record(t, filepath.Join(p.folder, "epperf-results")).Header.GetHosts()[0].GetGpus(); len(gpus) > 0 {
			t.Errorf("the record has GPUs: %v", gpus)
		}
	})
}
