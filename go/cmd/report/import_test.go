package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestImport(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	deep := file("deep.txt", "[rank 0] Dispatch bandwidth: 90.00 GB/s, avg_t=80.00 us | Combine bandwidth: 88.00 GB/s, avg_t=160.00 us\n")
	letter := file("letter.txt", "Dear reader,\n")
	run := recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_DISPATCH, 8)
	ours := run.Write(t)
	run.Header.Plan.RunId, run.Header.Plan.SharedGpu = "shared", true
	shared := run.Write(t)
	const shape = "--shape=ranks=8 tokens=128 hidden=7168 experts=288 topk=8"
	for name, test := range map[string]struct {
		args           []string
		want           int
		stdout, stderr string
	}{
		"a file":          {[]string{"--from=deepep", deep}, command.OK, "dispatch, kernels, fp8, layout expert, quantize inside, by selections", ""},
		"named by itself": {[]string{"deepep=" + deep}, command.OK, "combine, kernels, bf16", ""},
		"beside a record": {[]string{shape, "deepep=" + deep, "--", ours}, command.OK, "  1. deepep           80.0 μs      90.00 GB/s", ""},
		"its shape unknown": {
			[]string{"deepep=" + deep, "deepep=" + deep}, command.OK, "not ranked: the outputs do not say of which shape they are", "",
		},
		"no output":      {[]string{"--from=deepep"}, command.Misused, "", "an output is missing"},
		"no tool":        {[]string{deep}, command.Misused, "", "try one of deepep, nccl-ep, nccl-tests, nixl-ep, nixlbench"},
		"no such tool":   {[]string{"--from=mpi", deep}, command.Misused, "", `--from="mpi"`},
		"no format":      {[]string{"--format=xml", "deepep=" + deep}, command.Misused, "", "try text or json"},
		"no figures":     {[]string{"deepep=" + letter}, command.Failed, "", "no figures of deepep"},
		"no such file":   {[]string{"deepep=nowhere"}, command.Failed, "", "no such file"},
		"no speed":       {[]string{"deepep=" + deep, "--", shared}, command.Failed, "", "has no figures that can be compared"},
		"no such record": {[]string{"deepep=" + deep, "--", "nowhere"}, command.Failed, "", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := output(append([]string{"import"}, test.args...)...)
			if code != test.want || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, %s%s", code, stdout, stderr)
			}
		})
	}
	code, stdout, _ := output("import", "--format=json", "deepep="+deep)
	var got struct {
		Format  string
		Figures []struct{ Operation string }
	}
	if err := json.Unmarshal([]byte(stdout), &got); code != command.OK || err != nil || got.Format != "epperf-foreign" || len(got.Figures) != 2 {
		t.Errorf("exit code %d, %v, %s", code, err, stdout)
	}
}
