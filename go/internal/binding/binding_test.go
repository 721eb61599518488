package binding_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/binding"
)

// sys is the /sys of a host with these CPUs on its nodes, as far as it is read.
func sys(cpus ...string) fstest.MapFS {
	made := fstest.MapFS{"devices/system/node/has_cpu": {}, "devices/system/node/possible": {}}
	for node, list := range cpus {
		made[fmt.Sprintf("devices/system/node/node%d/cpulist", node)] = &fstest.MapFile{Data: []byte(list + "\n")}
	}
	return made
}

func list(t *testing.T, text string) []int {
	t.Helper()
	cpus, err := binding.ParseCPUs(text)
	if err != nil {
		t.Fatal(err)
	}
	return cpus
}

// told writes places as 0:0-3, or * for a rank that is free.
func told(places []binding.Place) (all []string) {
	for _, place := range places {
		node := "*"
		if place.Node != nil {
			node = fmt.Sprint(*place.Node)
		}
		all = append(all, node+":"+binding.FormatCPUs(place.CPUs))
	}
	return all
}

var eight = sys("0-3", "4-7", "8-11", "12-15", "16-19", "20-23", "24-27", "28-31")

func TestRanksOnCPUsShareNodesOut(t *testing.T) {
	for name, test := range map[string]struct {
		sys          fstest.MapFS
		allowed      string
		first, count int
		want         []string
	}{
		"one node":              {sys("0-1"), "0-1", 0, 8, nil},
		"no node is told":       {fstest.MapFS{}, "0-1", 0, 8, nil},
		"two nodes":             {sys("0-3,8-11", "4-7,12-15"), "0-15", 0, 4, []string{"0:0-3,8-11", "1:4-7,12-15", "0:0-3,8-11", "1:4-7,12-15"}},
		"eight nodes":           {eight, "0-31", 0, 8, []string{"0:0-3", "1:4-7", "2:8-11", "3:12-15", "4:16-19", "5:20-23", "6:24-27", "7:28-31"}},
		"the second launcher":   {eight, "0-31", 2, 2, []string{"2:8-11", "3:12-15"}},
		"a cpuset of one node":  {sys("0-3", "4-7"), "5-6", 0, 4, nil},
		"a cpuset of parts":     {sys("0-3", "4-7"), "1,4-6", 0, 4, []string{"1:4-6", "1:4-6", "0:1", "1:4-6"}},
		"a node without CPUs":   {sys("0-3", "4-7", ""), "0-7", 0, 3, []string{"0:0-3", "1:4-7", "0:0-3"}},
		"a list that is no one": {sys("0-3", "4-x"), "0-7", 0, 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := binding.OfCPUs(binding.Nodes(test.sys, list(t, test.allowed)), test.first, test.count)
			if diff := cmp.Diff(test.want, told(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRanksOnGPUsAreNearThem(t *testing.T) {
	node := func(n int) *int { return &n }
	for name, test := range map[string]struct {
		allowed string
		gpus    []*int
		want    []string
	}{
		"each near its own":         {"0-31", []*int{node(0), node(0), node(7), node(3)}, []string{"0:0-3", "0:0-3", "7:28-31", "3:12-15"}},
		"nobody tells where one is": {"0-7", []*int{node(1), nil}, []string{"1:4-7", "*:0-7"}},
		"one is not to be used":     {"0-5", []*int{node(1), node(2)}, []string{"1:4-5", "*:0-5"}},
		"one node is left":          {"4-7", []*int{node(1), node(2)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := binding.OfGPUs(binding.Nodes(eight, list(t, test.allowed)), test.gpus)
			if diff := cmp.Diff(test.want, told(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListsOfCPUs(t *testing.T) {
	for _, text := range []string{"", "0", "0-1", "0-3,7,9-10"} {
		if got := binding.FormatCPUs(list(t, text)); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"a", "1-", "-1", "0,,1", "1-99999999"} {
		if cpus, err := binding.ParseCPUs(text); err == nil {
			t.Errorf("%q is %v", text, cpus)
		}
	}
}

// allowed returns the CPUs of this process's first thread.
func allowed(t *testing.T) []int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "Cpus_allowed_list:\t")
	text, _, _ := strings.Cut(after, "\n")
	return list(t, text)
}

// A process inherits what the thread did to itself that started it, and other threads do not.
func TestAProcessIsBoundByTheThreadThatStartsIt(t *testing.T) {
	before := allowed(t)
	last := before[len(before)-1:]
	places := binding.WithMemory([]binding.Place{{Node: new(0), CPUs: last}})
	text := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends bound
		if err := places[0].Thread(); err != nil {
			text <- err.Error()
			return
		}
		out, err := exec.Command("cat", "/proc/self/status", "/proc/self/numa_maps").CombinedOutput()
		text <- fmt.Sprint(string(out), err)
	}()
	out := <-text
	if want := "Cpus_allowed_list:\t" + binding.FormatCPUs(last) + "\n"; !strings.Contains(out, want) {
		t.Errorf("no %q in:\n%s", want, out)
	}
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Logf("this kernel tells no policy of memory: %v", err)
	} else if places[0].Memory && !strings.Contains(out, " prefer:0 ") && !strings.Contains(out, " prefer (many):0 ") {
		t.Errorf("no memory of node 0 is preferred in:\n%s", out)
	}
	if after := allowed(t); !cmp.Equal(after, before) {
		t.Errorf("this process has CPUs %v; before %v", after, before)
	}
}
