package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// ladder writes records of a line: 10 μs, and 100 GB/s over all rows of a rank.
func ladder(t *testing.T) (paths []string) {
	t.Helper()
	for _, tokens := range []uint32{1, 8, 64, 512, 2048} {
		run := recordtest.Small()
		run.Header.Plan.RunId = fmt.Sprint("tokens-", tokens)
		run.Case().TokensOfRank, run.Case().Passes[0].Count = []uint32{tokens, tokens}, 101
		for rank, result := range run.Results {
			result.Traffic.RowsToRank = []uint64{uint64(tokens), uint64(tokens)}
			ns := 10_000 + uint64(tokens)*2*(7408+14336)/100
			run.Samples[rank].DurationNs = slices.Repeat([]uint64{ns}, 101)
		}
		paths = append(paths, run.Write(t))
	}
	return paths
}

func TestPredict(t *testing.T) {
	paths := ladder(t)
	for name, test := range map[string]struct {
		args           []string
		want           int
		stdout, stderr string
	}{
		"the line":        {append([]string{"--ranks-per-node=2"}, paths...), command.OK, "      5        10.0         100.00  n/a                0.0%     0.0%", ""},
		"with a network":  {append([]string{"--nodes=2", "--ranks-per-node=2", "--network=50"}, paths...), command.OK, "Network: 50.00 GB/s for each rank, as --network says", ""},
		"without one":     {append([]string{"--nodes=2", "--ranks-per-node=2"}, paths...), command.Misused, "", "no record went over a network: --network=GB/S"},
		"too few":         {append([]string{"--ranks-per-node=2"}, paths[:2]...), command.Misused, "", "a line needs four cases or more"},
		"uneven experts":  {append([]string{"--ranks-per-node=5"}, paths...), command.Misused, "", "72 experts are not the same number on each of 5 ranks"},
		"no record":       {nil, command.Misused, "", "a record is missing"},
		"no nodes":        {append([]string{"--nodes=0"}, paths...), command.Misused, "", "at least one of each"},
		"no such network": {append([]string{"--network=-1"}, paths...), command.Misused, "", "more than 0"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := output(append([]string{"predict"}, test.args...)...)
			if code != test.want || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, stdout:\n%s\nstderr %q", code, stdout, stderr)
			}
		})
	}
}
