package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Whatever is typed, it is a plan that every process accepts, or one line that says what is wrong.
func FuzzNew(f *testing.F) {
	add := func(change func(*plan.Options)) {
		o := plan.Defaults()
		change(&o)
		f.Add(o.NumProcesses, o.Mode, o.Tokens, o.Hidden, o.ExpertsPerRank, o.Topk, o.NvlinkBackend, o.Device,
			o.Dtype, o.Routing, o.Seed, o.Warmup, o.Iters, int64(o.Timeout), int64(o.WaitTimeout), o.RunID)
	}
	add(func(*plan.Options) {})
	add(func(o *plan.Options) { o.NumProcesses, o.Tokens, o.Routing = 3, "1,0,65535", "zipf:1.2" })
	add(func(o *plan.Options) { o.Routing, o.Topk, o.RunID = "hot:3", 16, "night-7" })
	add(func(o *plan.Options) { o.Routing, o.Dtype = "file:ids\n.npy", "bf16" })
	add(func(o *plan.Options) { o.Tokens, o.Hidden, o.Iters = "-1,,", -128, 0 })
	f.Fuzz(func(t *testing.T, ranks int, mode, tokens string, hidden, experts, topk int, backend, device,
		dtype, routing string, seed uint64, warmup, iters int, timeout, wait int64, runID string,
	) {
		if path, isFile := strings.CutPrefix(routing, "file:"); isFile && strings.ContainsAny(path, "/.") {
			return // not into the machine's own files
		}
		o := plan.Defaults()
		o.NumProcesses, o.Mode, o.Tokens, o.Hidden, o.ExpertsPerRank, o.Topk = ranks, mode, tokens, hidden, experts, topk
		o.NvlinkBackend, o.Device, o.Dtype, o.Routing, o.Seed, o.Warmup = backend, device, dtype, routing, seed, warmup
		o.Iters, o.Timeout, o.WaitTimeout, o.RunID = iters, time.Duration(timeout), time.Duration(wait), runID
		made, err := plan.New(o)
		if err != nil {
			var usage *plan.UsageError
			var none *plan.NoGPUError
			if !errors.As(err, &usage) && !errors.As(err, &none) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || !strings.HasPrefix(text, "--") {
				t.Fatalf("not one line: %q", text)
			}
			return
		}
		if err := plan.Validate(made); err != nil {
			t.Fatalf("Validate of what New made: %v", err)
		}
		serialised, err := proto.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		var read epperfv1.Plan
		if err := proto.Unmarshal(serialised, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(made, &read, protocmp.Transform()); diff != "" {
			t.Errorf("plan (-made +read):\n%s", diff)
		}
		o.Routing, o.RunID = epperfv1.RoutingName(made.GetCases()[0].GetRouting()), "another"
		again, err := plan.New(o)
		if err != nil {
			t.Fatalf("the routing's own name is refused: %v", err)
		}
		if diff := cmp.Diff(plan.Hash(made), plan.Hash(again)); diff != "" {
			t.Errorf("two hashes of one plan (-first +second):\n%s", diff)
		}
	})
}
