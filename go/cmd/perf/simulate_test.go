package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
)

func simulated(arguments ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = perf(append([]string{"perf", "simulate"}, arguments...), &out, &err)
	return code, out.String(), err.String()
}

func TestAHotExpertMakesAHotLink(t *testing.T) {
	small := []string{"--nodes=2", "--ranks-per-node=4", "--experts=16", "--topk=1", "--tokens=16", "--hidden=128", "--hot=1"}
	code, text, stderr := simulated(append(small, "--routing=hot:1")...)
	if code != command.OK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	// All 4 ranks of the other node send all of their 16 rows to rank 0, whose network link in is all that has any.
	if !strings.Contains(text, "network, in     0     0") || !strings.Contains(text, "800.0%") || !strings.Contains(text, "Modelled: ") {
		t.Errorf("simulated:\n%s", text)
	}
	if _, combined, _ := simulated(append(small, "--routing=hot:1", "--mode=combine")...); !strings.Contains(combined, "network, out     0     0") {
		t.Errorf("a combine, which goes back:\n%s", combined)
	}
}

func TestWhatIsNotSimulated(t *testing.T) {
	for want, arguments := range map[string][]string{
		"1 to 4096 ranks in all":                    {"--nodes=1000"},
		"not the same number on each of 64":         {"--experts=100"},
		"modelled one at a time":                    {"--mode=e2e"},
		"more than 0":                               {"--network=0"},
		"--hidden=100":                              {"--hidden=100"},
		"not one of dispatch":                       {"--mode=up"},
		`"now" is no flag`:                          {"now"},
		"--tokens=70000: must be":                   {"--tokens=70000"},
		"1 to 4096 ranks in all; see perf --help\n": {"--ranks-per-node=0"},
	} {
		if code, _, stderr := simulated(arguments...); code != command.Misused || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %s; want %s", arguments, code, stderr, want)
		}
	}
}
