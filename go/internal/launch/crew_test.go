package launch_test

import (
	"errors"
	"io"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/launch"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// crewPlan is that of so many ranks, some of which are killed.
func crewPlan(ranks int, killed ...uint32) *epperfv1.Plan {
	return &epperfv1.Plan{
		Cases:        []*epperfv1.Case{{Ranks: uint32(ranks), Phase: &epperfv1.Phase{Killed: killed}}},
		RanksPerHost: uint32(ranks), TimeoutNs: uint64(time.Minute), WaitTimeoutNs: uint64(10 * time.Second),
	}
}

// Who stays keeps its process; who was killed comes again as another; and who left is gone.
func TestACrewGoesOnWithoutARankThatIsKilled(t *testing.T) {
	kept := &host{lost: make(chan struct{})}
	var crew *launch.Crew
	var kill []int
	crew = launch.NewCrew(launch.Config{
		Plan: crewPlan(1), Host: "node-a", BuildID: build, Stderr: io.Discard, Sink: kept,
		Env: []string{fakeEnv + "=stay", culpritTo + "=" + filepath.Join(t.TempDir(), "culprit")},
		Met: func(string) {
			if err := crew.Kill(kill); err != nil {
				t.Error(err)
			}
		},
	})
	// run returns the processes of the ranks that reported, by their seats.
	run := func(plan *epperfv1.Plan, numbers ...int) (map[uint32]uint32, error) {
		t.Helper()
		kept.results = nil
		if err := crew.Join(t.Context(), numbers); err != nil {
			t.Fatal(err)
		}
		err := crew.Run(t.Context(), plan, kept)
		processes := map[uint32]uint32{}
		for _, result := range kept.results {
			processes[result.GetRank()] = result.GetWork().GetPid()
		}
		return processes, err
	}
	first, err := run(crewPlan(3), 0, 1, 7)
	if err != nil || len(first) != 3 {
		t.Fatalf("%v, %v", first, err)
	}
	kill = []int{1}
	second, err := run(crewPlan(3, 1), 0, 1, 7)
	var rank *launch.RankError
	if !errors.As(err, &rank) || rank.Rank != 1 || rank.How != "killed by signal 9 (SIGKILL)" || len(second) != 2 || crew.FailedAt().IsZero() {
		t.Fatalf("%v, %v", second, err)
	}
	kill = nil
	third, err := run(crewPlan(2), 1, 7)
	if err != nil || len(third) != 2 || third[1] != first[2] || third[0] == first[1] {
		t.Errorf("%v, then %v, %v", first, third, err)
	}
	if err := crew.Kill([]int{1}); err != nil {
		t.Fatal(err)
	}
	if err := crew.Gone(t.Context(), []int{1}); !errors.As(err, &rank) || rank.Rank != 1 {
		t.Errorf("%v", err)
	}
	if err := crew.Kill([]int{1}); err == nil {
		t.Error("a rank was killed twice")
	}
	if err := crew.Close(); err != nil {
		t.Error(err)
	}
	for _, processes := range []map[uint32]uint32{first, second, third} {
		for _, pid := range processes {
			if syscall.Kill(int(pid), 0) == nil {
				t.Errorf("process %d is there", pid)
			}
		}
	}
}
