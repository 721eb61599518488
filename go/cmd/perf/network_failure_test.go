package main_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// link does something to the switch's end of a host's link.
func (n *network) link(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(command, "SWITCH", n.name+"switch"))
	if text, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", words, err, text)
	}
}

// acrossHosts is endless for rows that cross a network.
var acrossHosts = with(endless, "--num-processes=1", "--nvlink-backend=none")

// A host without a link is missed by the others, and misses them. What its link lost while it was down for a
// moment is sent again.
func TestAHostIsCutOff(t *testing.T) {
	for _, test := range []struct {
		name      string
		arguments []string
		back      bool
		bound     time.Duration
		want      string
	}{
		{"for good, rows cross", with(acrossHosts, "--wait-timeout=2"), false, 6 * time.Second, `nothing from rank|the network to rank|ended the run`},
		{
			"for good, rows do not", with(endless, "--num-processes=1", "--nvlink-backend=ipc", "--host-id=one", "--wait-timeout=30"),
			false, leaseTTL + 2500*time.Millisecond, `is gone: its launcher ended or was silent|etcd at .+ is out of reach`,
		},
		{"for a second", with(acrossHosts, "--iters=3000", "--wait-timeout=30"), true, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name != "for good, rows cross" {
				long(t)
			}
			n := newNetwork(t, 2)
			launchers := n.launchers(t, test.arguments...)
			allUntil(t, launchers, "timing")
			began := time.Now()
			n.link(t, "ip -n SWITCH link set p2 down")
			if !test.back {
				ends(t, launchers, began, test.bound, test.want)
				return
			}
			<-time.After(time.Second)
			n.link(t, "ip -n SWITCH link set p2 up")
			for node, p := range launchers {
				<-p.rest
				if code := p.end(t); code != 0 {
					t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
				}
			}
			within(t, time.Minute, time.Since(began), "(nothing: the run passes)")
		})
	}
}

// A link of 20 Mb/s delays a run between hosts, and breaks nothing.
func TestASlowLink(t *testing.T) {
	long(t)
	n := newNetwork(t, 2)
	limit := strings.ReplaceAll("tc -n SWITCH qdisc add dev p2 root tbf rate 20mbit burst 32kbit latency 50ms", "SWITCH", n.name+"switch")
	if text, err := exec.Command("sh", "-c", limit).CombinedOutput(); err != nil {
		t.Skipf("skipped: this kernel or user limits no link: %v: %s", err, text)
	}
	launchers := n.launchers(t, with(small, "--num-processes=1", "--nvlink-backend=none", "--tokens=64", "--hidden=1024", "--mode=dispatch")...)
	began := time.Now()
	kept := oneRun(t, launchers, 2)
	within(t, time.Minute, time.Since(began), "(nothing: the run passes)")
	bits := kept.Rank(0, 0).Result.GetTraffic().GetRowsToRank()[1] * 1024 * 8 // of an iteration's rows, as FP8
	iterations := kept.Rank(0, 1).Pass(0)
	var sum time.Duration
	for _, ns := range iterations {
		sum += time.Duration(ns)
	}
	mean, least := sum/time.Duration(len(iterations)), time.Duration(float64(bits)/20e6*float64(time.Second))
	if mean < least/2 {
		t.Errorf("an iteration takes %v, and its rows %v on the link", mean, least)
	}
}
