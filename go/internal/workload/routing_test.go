package workload_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// The ids of seed 1 never change: records of different versions are compared on the strength of
// it. A test that fails here has found a change of every user's workload, not a stale golden, so
// there is no flag that writes it anew.
func TestUniformIDsOfSeed1(t *testing.T) {
	routing := route(t, uniform(func(c *epperfv1.Case) { c.TokensOfRank = []uint32{4, 2} }))
	want := []int32{
		3, 0, 4,
		0, 4, 3,
		4, 3, 1,
		0, 2, 5,

		5, 0, 1,
		5, 4, 0,
		-1, -1, -1,
		-1, -1, -1,
	}
	if diff := cmp.Diff(want, routing.IDs()); diff != "" {
		t.Errorf("ids of seed 1 (-want +got):\n%s", diff)
	}
}

func TestNoTokenNamesAnExpertTwice(t *testing.T) {
	for name, change := range map[string]func(*epperfv1.Case){
		"few of many":   func(c *epperfv1.Case) { c.ExpertsPerRank, c.Topk = 36, 8 },
		"all but one":   func(c *epperfv1.Case) { c.ExpertsPerRank, c.Topk = 4, 7 },
		"all there are": func(c *epperfv1.Case) { c.ExpertsPerRank, c.Topk = 8, 16 },
		"one of one": func(c *epperfv1.Case) {
			c.Ranks, c.TokensOfRank, c.ExpertsPerRank, c.Topk = 1, []uint32{64}, 1, 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := uniform(change)
			experts := int32(c.GetRanks() * c.GetExpertsPerRank())
			for token := range slices.Chunk(route(t, c).IDs(), int(c.GetTopk())) {
				ascending := slices.Sorted(slices.Values(token))
				if len(slices.Compact(ascending)) != len(token) || ascending[0] < 0 || ascending[len(token)-1] >= experts {
					t.Fatalf("a token selects %v of %d experts", token, experts)
				}
			}
		})
	}
}

// In every position every expert is as likely as any other. The bound is 5 standard deviations of
// a count; the ids are fixed, so the test cannot fail now and then.
func TestUniformIsUniformInEveryPosition(t *testing.T) {
	const tokens, experts, topk = 4096, 32, 4
	c := uniform(func(c *epperfv1.Case) {
		c.TokensOfRank, c.ExpertsPerRank, c.Topk = []uint32{tokens, tokens}, experts/2, topk
	})
	var counts [topk][experts]int
	for i, id := range route(t, c).IDs() {
		counts[i%topk][id]++
	}
	mean := float64(2*tokens) / experts
	for position, ofExpert := range counts {
		for expert, count := range ofExpert {
			if math.Abs(float64(count)-mean) > 5*math.Sqrt(mean) {
				t.Errorf("expert %d is in position %d %d times, not about %.0f", expert, position, count, mean)
			}
		}
	}
}

func TestRanksAndSeedsDiffer(t *testing.T) {
	one := route(t, uniform()).IDs()
	two := route(t, uniform(func(c *epperfv1.Case) { c.Seed = 2 })).IDs()
	half := len(one) / 2
	for name, pair := range map[string][2][]int32{
		"ranks": {one[:half], one[half:]},
		"seeds": {one, two},
	} {
		if slices.Equal(pair[0], pair[1]) {
			t.Errorf("two %s have the same ids", name)
		}
	}
	if again := route(t, uniform()).IDs(); !slices.Equal(one, again) {
		t.Error("the same case has other ids when computed again")
	}
}

// What a rank selects depends on its own tokens alone: another rank's count only pads.
func TestOtherRanksTokensOnlyPad(t *testing.T) {
	short := route(t, uniform(func(c *epperfv1.Case) { c.TokensOfRank = []uint32{2, 0} })).IDs()
	padded := route(t, uniform(func(c *epperfv1.Case) { c.TokensOfRank = []uint32{2, 5} })).IDs()
	if diff := cmp.Diff(short[:2*3], padded[:2*3]); diff != "" {
		t.Errorf("ids of rank 0 (-alone +padded):\n%s", diff)
	}
}

func TestReceivedSelectionsCountTheIDs(t *testing.T) {
	c := uniform(func(c *epperfv1.Case) { c.Ranks, c.TokensOfRank = 4, []uint32{16, 0, 3, 7} })
	routing := route(t, c)
	want := make([]uint64, 4)
	for _, id := range routing.IDs() {
		if id >= 0 {
			want[id/int32(c.GetExpertsPerRank())]++
		}
	}
	var got []uint64
	for rank := range want {
		got = append(got, routing.ReceivedSelections(rank))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("received selections (-want +got):\n%s", diff)
	}
}

func TestNewRefusesWhatItCannotRoute(t *testing.T) {
	for name, change := range map[string]func(*epperfv1.Case){
		"no routing":                func(c *epperfv1.Case) { c.Routing = nil },
		"an unknown kind":           func(c *epperfv1.Case) { c.Routing.Kind = 99 },
		"more choices than experts": func(c *epperfv1.Case) { c.ExpertsPerRank, c.Topk = 2, 5 },
		"tokens of another rank":    func(c *epperfv1.Case) { c.TokensOfRank = []uint32{1, 2, 3} },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := workload.New(uniform(change)); err == nil {
				t.Error("New succeeded")
			}
		})
	}
}

func route(t *testing.T, c *epperfv1.Case) *workload.Routing {
	t.Helper()
	routing, err := workload.New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return routing
}

// uniform returns a case of two ranks, six experts and three choices for each of 16 tokens.
func uniform(changes ...func(*epperfv1.Case)) *epperfv1.Case {
	c := &epperfv1.Case{
		Mode:           epperfv1.Mode_MODE_E2E,
		Ranks:          2,
		TokensOfRank:   []uint32{16, 16},
		Hidden:         128,
		ExpertsPerRank: 3,
		Topk:           3,
		Dtype:          epperfv1.Dtype_DTYPE_FP8,
		Routing:        &epperfv1.Routing{Kind: epperfv1.Routing_KIND_UNIFORM},
		Seed:           1,
	}
	for _, change := range changes {
		change(c)
	}
	return c
}
