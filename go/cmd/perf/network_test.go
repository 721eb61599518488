package main_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// This file makes hosts of this machine: network namespaces, each with an address of its own.

// A network is hosts on one switch. They share a kernel, so --host-id tells them apart.
type network struct {
	name  string   // what their names begin with
	hosts []string // names of namespaces
}

var networks atomic.Int32

// newNetwork makes hosts 10.88.0.1 and on, which reach each other and nobody else, and removes them when the
// test is over.
func newNetwork(t *testing.T, hosts int) *network {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	removeAbandoned()
	name := fmt.Sprintf("epperf%d-%d-", os.Getpid(), networks.Add(1))
	if text, err := exec.Command("ip", "netns", "add", name+"switch").CombinedOutput(); err != nil {
		t.Skipf("skipped: this user may not make network namespaces: %v: %s", err, text)
	}
	n := &network{name: name}
	remove := func(name string) {
		t.Cleanup(func() {
			if text, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
				t.Errorf("remove %s: %v: %s", name, err, text)
			}
		})
	}
	remove(name + "switch")
	steps := []string{
		"ip -n SWITCH link add br0 type bridge",
		"ip -n SWITCH link set br0 up",
	}
	for i := 1; i <= hosts; i++ {
		host := fmt.Sprintf("%s%d", name, i)
		n.hosts = append(n.hosts, host)
		steps = append(steps,
			"ip netns add "+host,
			fmt.Sprintf("ip link add eth0 netns %s type veth peer name p%d netns SWITCH", host, i),
			fmt.Sprintf("ip -n %s addr add 10.88.0.%d/24 dev eth0", host, i),
			"ip -n "+host+" link set eth0 up",
			"ip -n "+host+" link set lo up",
			fmt.Sprintf("ip -n SWITCH link set p%d master br0", i),
			fmt.Sprintf("ip -n SWITCH link set p%d up", i))
	}
	for _, step := range steps {
		words := strings.Fields(strings.ReplaceAll(step, "SWITCH", name+"switch"))
		if text, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", words, err, text)
		}
		if words[1] == "netns" {
			remove(words[3])
		}
	}
	return n
}

// removeAbandoned removes the hosts of earlier tests that were killed before they could: those of processes that
// are no more. Whoever shares this machine's namespaces but not its /proc would be taken for one.
func removeAbandoned() {
	names, _ := filepath.Glob("/run/netns/epperf*-*")
	for _, name := range names {
		var pid int
		if n, err := fmt.Sscanf(filepath.Base(name), "epperf%d-", &pid); n != 1 || err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
			_ = exec.Command("ip", "netns", "del", filepath.Base(name)).Run() // another test may be first
		}
	}
}

// launchers makes one launcher of a run on each host, where node 0 serves; none is started.
func (n *network) launchers(t *testing.T, arguments ...string) []*program {
	t.Helper()
	folder := t.TempDir()
	launchers := make([]*program, len(n.hosts))
	for node := range launchers {
		own := with(arguments, fmt.Sprintf("--nnodes=%d", len(n.hosts)), fmt.Sprintf("--node-rank=%d", node), "--run-id=net", "--master-addr=10.88.0.1")
		if !strings.Contains(strings.Join(arguments, " "), "--host-id") {
			own = append(own, fmt.Sprintf("--host-id=h%d", node))
		}
		launchers[node] = n.on(t, node, append(own, "--output="+folder)...)
	}
	return launchers
}

// on makes a program on a host.
func (n *network) on(t *testing.T, host int, arguments ...string) *program {
	t.Helper()
	p := newProgram(t, arguments...)
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Fatal(err)
	}
	p.Args = with([]string{"ip", "netns", "exec", n.hosts[host], p.Path}, arguments...)
	p.Path = ip
	return p
}

// sent returns how many bytes have left a host.
func (n *network) sent(t *testing.T, host int) int {
	t.Helper()
	text, err := exec.Command("ip", "netns", "exec", n.hosts[host], "cat", "/sys/class/net/eth0/statistics/tx_bytes").Output()
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// listens returns where somebody listens for TCP on a process's host.
func listens(t *testing.T, pid int) (addresses []string) {
	t.Helper()
	for _, file := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			fields := strings.Fields(string(line))
			if len(fields) < 4 || fields[3] != "0A" { // not LISTEN
				continue
			}
			address, port, _ := strings.Cut(fields[1], ":")
			raw, err := hex.DecodeString(address)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at < len(raw); at += 4 { // words in the order of this machine
				raw[at], raw[at+1], raw[at+2], raw[at+3] = raw[at+3], raw[at+2], raw[at+1], raw[at]
			}
			number, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			addresses = append(addresses, fmt.Sprintf("%v:%d", net.IP(raw), number))
		}
	}
	return addresses
}
