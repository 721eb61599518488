package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/host/limittest"
)

// Launchers in containers of one host, each with PIDs of its own, do not know each other's processes by
// number. They say so before one opens anything, or meet over what needs no numbers.
func TestLaunchersOfTwoPIDNamespaces(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		code      int
		want      string // on stderr
	}{
		"mapped":      {nil, 1, "are in two PID namespaces of one host"},
		"over a link": {[]string{"--nvlink-backend=none"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := coordinator(t)
			launchers := make([]*program, 2)
			for node := range launchers {
				launchers[node] = newProgram(t, with(with(small, test.arguments...), "--etcd-endpoints="+e.endpoint, "--run-id=r1",
					"--nnodes=2", fmt.Sprintf("--node-rank=%d", node), "--num-processes=2")...)
				limittest.OwnPIDs(t, launchers[node].Cmd)
				limittest.Shell(launchers[node].Cmd, "mount -t proc proc /proc")
			}
			for _, p := range launchers {
				p.start(t)
			}
			for node, p := range launchers {
				code := p.end(t)
				if code != test.code || !strings.Contains(p.stderr.String(), test.want) || test.want == "" && p.stderr.Len() > 0 {
					t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
				}
			}
		})
	}
}

// /proc may be that of a namespace further out: ranks are found there by the numbers that it gives them.
func TestARunWithAnOutersProc(t *testing.T) {
	t.Parallel()
	p := newProgram(t, with(small, "--num-processes=3")...)
	limittest.OwnPIDs(t, p.Cmd)
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}
