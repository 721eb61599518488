package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/epperf/epperf/go/internal/binding"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/host/limittest"
)

// onTwoNodes has a program see a machine whose first CPU is one NUMA node's, and whose last is another's. It
// returns them.
func onTwoNodes(t *testing.T, p *program) (cpus []string) {
	t.Helper()
	system, err := host.This()
	if err != nil {
		t.Fatal(err)
	}
	if len(system.CPUs) < 2 {
		t.Skip("skipped: one CPU is no two nodes")
	}
	stage := "cd /sys/devices/system/node && mount -t tmpfs tmpfs . && cd . && mkdir /sys/devices/system/node/node0 /sys/devices/system/node/node1"
	for node, cpu := range []int{system.CPUs[0], system.CPUs[len(system.CPUs)-1]} {
		cpus = append(cpus, fmt.Sprint(cpu))
		stage += fmt.Sprintf(" && echo %d >/sys/devices/system/node/node%d/cpulist", cpu, node)
	}
	limittest.Mounting(t, p.Cmd, stage+" && cd '"+p.folder+"'")
	return cpus
}

// Ranks run where their record says that they do, all of their threads, and their launcher anywhere.
func TestRanksAreBoundToNodes(t *testing.T) {
	for name, bound := range map[string]bool{"numa": true, "none": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, with(endless, "--threads=2", "--bind="+name)...)
			cpus := onTwoNodes(t, p)
			p.until(t, "timing")
			var have []string
			for pid := range p.ranks(t, 4) {
				threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
				var of []string
				for _, file := range threads {
					of = append(of, allowed(t, file))
				}
				if slices.Sort(of); len(slices.Compact(of)) != 1 {
					t.Errorf("threads of a rank run on %q", of)
				}
				have = append(have, of[0])
			}
			launcher := allowed(t, fmt.Sprintf("/proc/%d/status", p.Process.Pid))
			want := []string{cpus[0], cpus[0], cpus[1], cpus[1]}
			if !bound {
				want = []string{launcher, launcher, launcher, launcher}
			}
			if slices.Sort(have); !slices.Equal(have, want) || launcher != allowed(t, "/proc/self/status") {
				t.Errorf("ranks run on %q, want %q; their launcher on %q", have, want, launcher)
			}
			p.Process.Signal(syscall.SIGTERM)
			<-p.rest
			p.end(t)
			places := p.record(t, filepath.Join(p.folder, "epperf-results")).Header.GetHosts()[0].GetPlaceOfRank()
			if !bound {
				if len(places) > 0 {
					t.Errorf("the record has %v", places)
				}
				return
			}
			for rank, place := range places {
				if place.NumaNode == nil || int(place.GetNumaNode()) != rank%2 || place.GetCpus() != cpus[rank%2] {
					t.Errorf("the record has rank %d at %v", rank, place)
				}
			}
			if len(places) != 4 {
				t.Errorf("the record has %v", places)
			}
		})
	}
}

func allowed(t *testing.T, file string) string {
	t.Helper()
	status, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "Cpus_allowed_list:\t")
	text, _, _ := strings.Cut(after, "\n")
	if cpus, err := binding.ParseCPUs(text); err != nil || len(cpus) == 0 {
		t.Fatalf("%s: CPUs %q, %v", file, text, err)
	}
	return text
}

func TestExplainSaysWhereRanksRun(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=3", "--explain")...)
	cpus := onTwoNodes(t, p)
	want := fmt.Sprintf(`\nRanks 0,2: CPUs %s (and memory )?of NUMA node 0\nRanks 1: CPUs %s (and memory )?of NUMA node 1\n`, cpus[0], cpus[1])
	if code := p.run(t); code != 0 || !regexp.MustCompile(want).MatchString(p.stdout.String()) {
		t.Errorf("exit code %d: %s%s", code, &p.stdout, &p.stderr)
	}
}
