package launch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/epperf/epperf/go/internal/launch"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestMain(m *testing.M) {
	switch part, fake := os.LookupEnv(fakeEnv); {
	case !fake:
		goleak.VerifyTestMain(m)
	case part == "heir":
		time.Sleep(4 * time.Second)
	case part == "launcher":
		os.Exit(fakeLauncher())
	default:
		os.Exit(fakeRank())
	}
}

// A host is a rendezvous with nobody, and a sink; it keeps what it is told.
type host struct {
	mu      sync.Mutex
	aborted string
	lost    chan struct{}
	samples []*epperfv1.Samples
	results []*epperfv1.RankResult
	full    error    // of the sink
	others  [][]byte // the blobs of a host before this one
	alone   bool     // barriers wait for a host that does not come
}

func (h *host) Exchange(_ context.Context, _ string, blobs [][]byte) ([][]byte, error) {
	return append(h.others, blobs...), nil
}

func (h *host) Barrier(ctx context.Context, name string, _ uint64) error {
	if h.alone && name == "connected" {
		<-ctx.Done()
		return fmt.Errorf("barrier %q: node-b is missing", name)
	}
	return nil
}

func (h *host) Abort(_ context.Context, reason string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.aborted = reason
	return nil
}

func (h *host) Lost() <-chan struct{} { return h.lost }
func (h *host) Err() error            { return errors.New("node-b is gone") }

func (h *host) WriteSamples(s *epperfv1.Samples) error {
	h.samples = append(h.samples, s)
	return h.full
}

func (h *host) WriteResult(r *epperfv1.RankResult) error {
	h.results = append(h.results, r)
	return h.full
}

// A run is one test's run of fake ranks.
type run struct {
	host    *host
	config  launch.Config
	stderr  bytes.Buffer
	culprit string // the file that names it
}

func newRun(t *testing.T, ranks int, behaviour string) *run {
	t.Helper()
	r := &run{host: &host{lost: make(chan struct{})}, culprit: filepath.Join(t.TempDir(), "culprit")}
	r.config = launch.Config{
		Plan: &epperfv1.Plan{
			RunId: "r1", RanksPerHost: uint32(ranks), TimeoutNs: uint64(time.Minute),
			Cases: []*epperfv1.Case{{Ranks: uint32(ranks)}},
		},
		Host: "node-a", BuildID: build, Sink: r.host, Stderr: &r.stderr,
		Args: []string{"rank"},
		Env:  []string{fakeEnv + "=" + behaviour, culpritTo + "=" + r.culprit, "GORACE=atexit_sleep_ms=0"},
	}
	return r
}

// do runs the ranks and sees that none is left.
func (r *run) do(t *testing.T, ctx context.Context) error {
	t.Helper()
	ranks, err := launch.Start(r.config)
	if err != nil {
		t.Fatal(err)
	}
	err = ranks.Run(ctx, r.host)
	if err := ranks.Close(); err != nil {
		t.Error(err)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: pid %d, %v", pid, err)
	}
	return err
}

func (r *run) culpritPID(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(r.culprit)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestRanksMeetReportAndEnd(t *testing.T) {
	r := newRun(t, 4, "")
	var met []string
	r.config.Met = func(barrier string) { met = append(met, barrier) }
	if err := r.do(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(met, " "); got != "connected warmup" {
		t.Errorf("met at %q", got)
	}
	if len(r.host.samples) != 4 || len(r.host.results) != 4 {
		t.Errorf("%d samples, %d results of 4", len(r.host.samples), len(r.host.results))
	}
	for rank := range 4 {
		if line := fmt.Sprintf("rank %d: measured\n", rank); !strings.Contains(r.stderr.String(), line) {
			t.Errorf("stderr lacks %q:\n%s", line, &r.stderr)
		}
	}
}

// On the second of two hosts: the list is of this host's ranks.
func TestARankGetsItsOwnEnvironment(t *testing.T) {
	r := newRun(t, 2, "")
	r.config.NodeRank = 1
	r.config.Plan.Cases[0].Ranks = 4
	r.config.RankEnv = [][]string{nil, {ownEnv + "= with its own"}}
	r.host.others = [][]byte{[]byte("0"), []byte("1")}
	if err := r.do(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.stderr.String(); !strings.Contains(got, "rank 2: measured\n") || !strings.Contains(got, "rank 3: measured with its own\n") {
		t.Errorf("stderr:\n%s", got)
	}
}

func TestRankThatFailsIsNamed(t *testing.T) {
	for behaviour, want := range map[string]string{
		"die at once":           "killed by signal 9 (SIGKILL) while it started",
		"exit at once":          "exited with status 3 while it started",
		"die in a barrier":      `killed by signal 9 (SIGKILL) at barrier "warmup"`,
		"die while it measures": `killed by signal 9 (SIGKILL) after barrier "warmup"`,
		"exit without results":  `ended with 1 results missing after barrier "warmup"`,
		"fail":                  `exited with status 1 after barrier "warmup": wait: peer 0 is silent`,
		"hang up":               `closed its socket after barrier "warmup"`,
		"send garbage":          "read from rank: ",
		"barrier before hello":  "out of turn while it started",
		"be of another build":   `rank of build "b2", launcher of build "b1"`,
		"meet elsewhere":        "epoch 2",
		"report for another":    "reported for rank ",
	} {
		t.Run(behaviour, func(t *testing.T) {
			r := newRun(t, 3, behaviour)
			started := time.Now()
			err := r.do(t, t.Context())
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			var rank *launch.RankError
			if !errors.As(err, &rank) || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want a RankError with %q", err, want)
			}
			// Who came first to a meeting decides who is elsewhere.
			if pid := r.culpritPID(t); rank.PID != pid && behaviour != "meet elsewhere" {
				t.Errorf("%v, but it was pid %d", err, pid)
			}
			if rank.Host != "node-a" || !strings.HasPrefix(err.Error(), fmt.Sprintf("rank %d (pid %d on node-a): ", rank.Rank, rank.PID)) {
				t.Errorf("%v does not say who and where", err)
			}
			if r.host.aborted != err.Error() {
				t.Errorf("the other hosts were told %q", r.host.aborted)
			}
		})
	}
}

func TestOthersHearOfAFailureAtOnce(t *testing.T) {
	r := newRun(t, 4, "die while it measures")
	ranks, err := launch.Start(r.config)
	if err != nil {
		t.Fatal(err)
	}
	defer ranks.Close()
	started := time.Now()
	err = ranks.Run(t.Context(), r.host)
	if err == nil {
		t.Fatal("the run passed")
	}
	// They exit by themselves: nobody waits for the grace and the killing.
	if took := time.Since(started); took > 1400*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestRankThatDoesNotStopIsKilled(t *testing.T) {
	r := newRun(t, 2, "stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("interrupted")
	r.config.Met = func(barrier string) {
		if barrier == "warmup" {
			cancel(reason)
		}
	}
	started := time.Now()
	if err := r.do(t, ctx); !errors.Is(err, reason) {
		t.Errorf("got %v, want the context's cause", err)
	}
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}

// It has no peer that would wait for it.
func TestStoppedRankIsFound(t *testing.T) {
	r := newRun(t, 1, "stop")
	r.config.Plan.WaitTimeoutNs = uint64(600 * time.Millisecond)
	started := time.Now()
	err := r.do(t, t.Context())
	var rank *launch.RankError
	if !errors.As(err, &rank) || !strings.Contains(err.Error(), `stopped by a signal or a debugger after barrier "warmup"`) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestRunEndsInItsTime(t *testing.T) {
	for name, test := range map[string]struct {
		behaviour string
		alone     bool
		soak      *epperfv1.Soak
		want      string
	}{
		"a rank is missing":      {"come too late", false, nil, `barrier "warmup": 2 of 3 ranks after `},
		"a host is missing":      {"", true, nil, `barrier "connected": node-b is missing`},
		"nobody is at a meeting": {"idle", false, nil, `: raise --timeout or lower --iters`},
		"too long a soak":        {"idle", false, &epperfv1.Soak{Epochs: 5}, `: raise --timeout or lower --soak`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t, 3, test.behaviour)
			r.host.alone = test.alone
			r.config.Plan.TimeoutNs = uint64(time.Second)
			r.config.Plan.Cases[0].Soak = test.soak
			err := r.do(t, t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			var missing *launch.MissingError
			if errors.As(err, &missing) && (len(missing.Missing) != 1 || missing.Missing[0].Host != "node-a") {
				t.Errorf("missing %v", missing.Missing)
			}
		})
	}
}

func TestOtherHostsFailureEndsTheRun(t *testing.T) {
	r := newRun(t, 2, "idle")
	r.config.Met = func(barrier string) {
		if barrier == "warmup" {
			close(r.host.lost)
		}
	}
	if err := r.do(t, t.Context()); err == nil || err.Error() != "node-b is gone" {
		t.Errorf("got %v", err)
	}
}

func TestFullDiskEndsTheRun(t *testing.T) {
	r := newRun(t, 2, "")
	r.host.full = errors.New("no space left")
	if err := r.do(t, t.Context()); !errors.Is(err, r.host.full) {
		t.Errorf("got %v", err)
	}
}

func TestWhoeverARankLeavesBehindDelaysNobody(t *testing.T) {
	r := newRun(t, 1, "leave someone behind")
	started := time.Now()
	if err := r.do(t, t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCloseEndsRanksThatNeverRan(t *testing.T) {
	r := newRun(t, 3, "")
	ranks, err := launch.Start(r.config)
	if err != nil {
		t.Fatal(err)
	}
	ranks.Close()
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %v", err)
	}
}
