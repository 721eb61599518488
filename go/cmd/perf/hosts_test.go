package main_test

import (
	"strings"
	"syscall"
	"testing"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Rows cross a network between hosts, over NIXL and UCX, and the run is one.
func TestHostsExchangeRowsOverTheirNetwork(t *testing.T) {
	for _, test := range []struct {
		hosts     int
		backend   string
		header    string
		arguments []string
	}{
		{2, "none", "none (tcp)", []string{"--num-processes=2", "--mode=dispatch", "--tokens=64", "--hidden=1024"}},
		{4, "none", "none (tcp)", []string{"--num-processes=1", "--mode=e2e", "--layout=flat"}},
		{2, "nixl", "nixl (mapped within a host, tcp between hosts)", []string{"--num-processes=2", "--mode=e2e"}},
	} {
		n := newNetwork(t, test.hosts)
		launchers := n.launchers(t, with(with(small, "--nvlink-backend="+test.backend), test.arguments...)...)
		kept := oneRun(t, launchers, 4)
		if want := "\nBackend: " + test.header + "\n"; !strings.Contains(launchers[0].stdout.String(), want) {
			t.Errorf("node 0 does not print %q:\n%s", want, &launchers[0].stdout)
		}
		for node, host := range kept.Header.GetHosts() {
			plan, bytes := kept.Header.GetPlan(), 0
			for rank := range 4 {
				for to, rows := range kept.Rank(0, rank).Result.GetTraffic().GetRowsToRank() {
					if rank/int(plan.GetRanksPerHost()) == node && to/int(plan.GetRanksPerHost()) != node {
						bytes += int(rows) * int(plan.GetCases()[0].GetHidden()) * 7 // iterations, warm-up included, of FP8
					}
				}
			}
			if sent := n.sent(t, node); sent < bytes || bytes == 0 {
				t.Errorf("host %s sent %d bytes in all, and its rows are %d", host.GetHostId(), sent, bytes)
			}
		}
		paths := kept.Rank(0, 0).Result.GetPathToRank()
		if path := paths[len(paths)-1]; path != epperfv1.Path_PATH_NETWORK {
			t.Errorf("rank 0 reaches the last by %v", path)
		}
		if mapped := paths[1] == epperfv1.Path_PATH_MAPPED; mapped != (test.backend == "nixl") {
			t.Errorf("rank 0 reaches rank 1 by %v", paths[1])
		}
	}
}

// What is mapped stays on its host.
func TestHostsDoNotMapEachOther(t *testing.T) {
	n := newNetwork(t, 2)
	launchers := n.launchers(t, with(small, "--num-processes=1", "--nvlink-backend=ipc")...)
	for _, p := range launchers {
		p.start(t)
	}
	for node, p := range launchers {
		if code := p.end(t); code != 1 || !strings.Contains(p.last(), "are two hosts") {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
}

// SECURITY.md: a run on one host is reached over loopback alone, and one of several at one address with TLS.
func TestARunListensWhereItSays(t *testing.T) {
	n := newNetwork(t, 2)
	alone := n.on(t, 1, endless...)
	alone.until(t, "timing")
	for _, address := range listens(t, alone.Process.Pid) {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			t.Errorf("a run of one host listens at %s", address)
		}
	}
	alone.Process.Signal(syscall.SIGTERM)
	<-alone.rest
	alone.end(t)

	launchers := n.launchers(t, with(endless, "--num-processes=1", "--nvlink-backend=ipc", "--host-id=one")...)
	allUntil(t, launchers, "timing")
	var beyond []string
	for _, address := range append(listens(t, launchers[0].Process.Pid), listens(t, launchers[1].Process.Pid)...) {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			beyond = append(beyond, address)
		}
	}
	if len(beyond) != 1 || !strings.HasPrefix(beyond[0], "10.88.0.1:") {
		t.Fatalf("beyond loopback two launchers listen at %v", beyond)
	}
	stranger := n.on(t, 1, with(small, "--num-processes=1", "--etcd-endpoints=https://"+beyond[0])...)
	plain := n.on(t, 1, with(small, "--num-processes=1", "--etcd-endpoints="+beyond[0])...)
	stranger.start(t)
	plain.start(t)
	for _, p := range []*program{stranger, plain} {
		if code := p.end(t); code != 1 || !strings.Contains(p.last(), "etcd did not answer") {
			t.Errorf("without a certificate: exit code %d: %s", code, &p.stderr)
		}
	}
	for _, p := range launchers {
		p.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range launchers {
		<-p.rest
		p.end(t)
	}
}
