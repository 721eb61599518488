package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestMerge(t *testing.T) {
	var parts []string
	for node := range uint32(2) {
		run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
		run.Header.Plan.RanksPerHost, run.Header.PartOfNode = 4, &node
		run.Samples, run.Results = run.Samples[4*node:4*node+4], run.Results[4*node:4*node+4]
		parts = append(parts, run.Write(t))
	}
	out := filepath.Join(t.TempDir(), "whole.epperf")
	if code, stdout, stderr := output("merge", "--out="+out, parts[0], parts[1]); code != command.OK || stdout != "Record: "+out+"\n" {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := output("show", out); code != command.OK || !strings.Contains(stdout, "8/8 ranks passed") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
	for name, test := range map[string]struct {
		args []string
		want int
		text string
	}{
		"no out":       {parts, command.Misused, "--out is missing"},
		"no parts":     {[]string{"--out=x"}, command.Misused, "parts are missing"},
		"one is lost":  {[]string{"--out=" + out + "2", parts[0]}, command.Failed, "the part of node 1 is missing"},
		"there is one": {[]string{"--out=" + out, parts[0], parts[1]}, command.Failed, "file already exists"},
	} {
		if code, _, stderr := output(append([]string{"merge"}, test.args...)...); code != test.want || !strings.Contains(stderr, test.text) {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
}
