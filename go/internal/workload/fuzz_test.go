package workload_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// most bounds the ids of a case that is worth a fuzzer's time.
const most = 1 << 14

// Whatever bytes come as a plan, they are refused, or every case of them can be routed: distinct
// experts that exist, weights that add up.
func FuzzPlan(f *testing.F) {
	for _, routing := range []string{"uniform", "balanced", "zipf:1.2", "hot:5"} {
		o := plan.Defaults()
		o.NumProcesses, o.Tokens, o.Routing, o.RunID = 3, "4,0,2", routing, "a"
		made, err := plan.New(o)
		if err != nil {
			f.Fatal(err)
		}
		serialised, err := proto.Marshal(made)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(serialised)
	}
	f.Fuzz(func(t *testing.T, serialised []byte) {
		var p epperfv1.Plan
		if proto.Unmarshal(serialised, &p) != nil || plan.Validate(&p) != nil {
			return
		}
		if len(plan.Hash(&p)) != 32 || plan.HostCount(&p) < 1 {
			t.Errorf("%d hosts, hash %x", plan.HostCount(&p), plan.Hash(&p))
		}
		for _, c := range p.GetCases() {
			isFile := c.GetRouting().GetKind() == epperfv1.Routing_KIND_FILE // not into the machine's own files
			if isFile || plan.RankCount(&p)*plan.MaxTokens(c)*int(c.GetTopk()) > most || len(p.GetCases()) > 4 {
				continue
			}
			routing, err := workload.New(c)
			if err != nil {
				t.Fatalf("New of a valid case: %v", err)
			}
			checkRouting(t, c, routing)
		}
	})
}

func checkRouting(t *testing.T, c *epperfv1.Case, routing *workload.Routing) {
	t.Helper()
	topk, tokens := int(c.GetTopk()), plan.MaxTokens(c)
	for i, token := range slices.Collect(slices.Chunk(routing.IDs(), topk)) {
		ascending := slices.Compact(slices.Sorted(slices.Values(token)))
		exists := i%tokens < int(c.GetTokensOfRank()[i/tokens])
		switch {
		case !exists && !slices.Equal(ascending, []int32{-1}):
			t.Fatalf("a token that does not exist selects %v", token)
		case exists && (len(ascending) != topk || ascending[0] < 0 || int(ascending[topk-1]) >= plan.Experts(c)):
			t.Fatalf("a token selects %v of %d experts", token, plan.Experts(c))
		}
	}
	for token := range slices.Chunk(routing.Weights(0, workload.Sets-1), topk) {
		var sum float32
		for _, weight := range token {
			sum += weight
		}
		if sum != 0 && (sum < 0.999 || sum > 1.001) {
			t.Fatalf("weights add up to %g", sum)
		}
	}
}
