package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// launches writes records whose durations are longer by so many thousandths, and vary a little.
func launches(t *testing.T, side string, thousandths uint64) []string {
	t.Helper()
	var paths []string
	for i := range uint64(6) {
		run := recordtest.Small()
		run.Header.Plan.RanksPerHost, run.Header.Hosts[0].UsableCpus = 2, 2
		run.Header.Plan.RunId = fmt.Sprint(side, i)
		run.Header.StartedUnixNs += int64(i) * 1e9
		for _, samples := range run.Samples {
			for j := range samples.DurationNs {
				samples.DurationNs[j] = samples.DurationNs[j] * (1000 + thousandths) / 1000 * (1000 + i) / 1000
			}
		}
		paths = append(paths, run.Write(t))
	}
	return paths
}

func TestCompare(t *testing.T) {
	before, slow, same := launches(t, "old", 0), launches(t, "slow", 50), launches(t, "same", 0)
	sides := func(before, after []string) []string {
		return append(append(append([]string{}, before...), "--"), after...)
	}
	for name, test := range map[string]struct {
		args           []string
		want           int
		stdout, stderr string
	}{
		"slower by 5 %":         {sides(before, slow), command.Regressed, "slower, a regression: by 3.0% or more", ""},
		"as JSON":               {append([]string{"--format=json"}, sides(before, slow)...), command.Regressed, `"regressed": true,`, ""},
		"its schema":            {[]string{"--schema"}, command.OK, "epperf-comparison", ""},
		"as XML":                {append([]string{"--format=xml"}, sides(before, slow)...), command.Misused, "", `--format="xml": try one of text, json`},
		"less than is asked of": {append([]string{"--threshold=6%"}, sides(before, slow)...), command.OK, "verdict slower\n", ""},
		"faster":                {sides(slow, before), command.OK, "verdict faster\n", ""},
		"the same":              {sides(before, same), command.OK, "verdict same\n", ""},
		"too few":               {sides(before[:3], slow[:3]), command.OK, "4 launches a side would do", ""},
		"by its mean":           {append([]string{"--figure=latency"}, sides(before, slow)...), command.Regressed, "mean latency", ""},
		"no kernels":            {append([]string{"--figure=kernels"}, sides(before, slow)...), command.Misused, "", "no case with the figure kernels is on both sides"},
		"no figure":             {append([]string{"--figure=size"}, sides(before, slow)...), command.Misused, "", "try one of [slowest latency kernels]"},
		"no change":             {append([]string{"--threshold=0"}, sides(before, slow)...), command.Misused, "", "such as 5%"},
		"one side":              {before, command.Misused, "", "with -- between them"},
		"no new side":           {append(append([]string{}, before...), "--"), command.Misused, "", "with -- between them"},
		"no such file":          {[]string{"nowhere", "--", before[0]}, command.Failed, "", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := output(append([]string{"compare"}, test.args...)...)
			if code != test.want || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, stdout %s, stderr %q", code, stdout, stderr)
			}
		})
	}
}
