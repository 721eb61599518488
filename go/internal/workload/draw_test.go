package workload_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// kinds are all rules that draw, by what their routing is typed as.
var kinds = map[string]*epperfv1.Routing{
	"uniform":  {Kind: epperfv1.Routing_KIND_UNIFORM},
	"balanced": {Kind: epperfv1.Routing_KIND_BALANCED},
	"zipf:0":   {Kind: epperfv1.Routing_KIND_ZIPF},
	"zipf:1":   {Kind: epperfv1.Routing_KIND_ZIPF, ZipfExponent: 1},
	"zipf:1.2": {Kind: epperfv1.Routing_KIND_ZIPF, ZipfExponent: 1.2},
	"zipf:8":   {Kind: epperfv1.Routing_KIND_ZIPF, ZipfExponent: 8},
	"hot:1":    {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 1},
	"hot:2":    {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 2},
	"hot:4":    {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 4},
	"hot:6":    {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 6},
}

// like returns the changes that make a case of another routing.
func like(name string, more ...func(*epperfv1.Case)) []func(*epperfv1.Case) {
	return append([]func(*epperfv1.Case){func(c *epperfv1.Case) { c.Routing = kinds[name] }}, more...)
}

// As with the uniform ids of seed 1: these never change.
func TestIDsOfSeed1(t *testing.T) {
	for name, want := range map[string][]int32{
		"balanced": {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, -1, -1, -1},
		"zipf:1.2": {1, 0, 4, 0, 3, 2, 3, 1, 0, 5, 0, 4, 4, 0, 5, -1, -1, -1},
		"hot:1":    {0, 1, 4, 0, 4, 3, 0, 3, 2, 0, 1, 5, 0, 2, 5, -1, -1, -1},
		"hot:2":    {1, 0, 4, 0, 1, 4, 1, 0, 2, 1, 0, 5, 1, 0, 5, -1, -1, -1},
		"hot:4":    {2, 0, 3, 2, 1, 0, 1, 0, 3, 3, 0, 1, 3, 0, 2, -1, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			routing := route(t, uniform(like(name, func(c *epperfv1.Case) { c.TokensOfRank = []uint32{3, 2} })...))
			if diff := cmp.Diff(want, routing.IDs()); diff != "" {
				t.Errorf("ids of seed 1 (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryKindSelectsDistinctExpertsAndPads(t *testing.T) {
	for name := range kinds {
		t.Run(name, func(t *testing.T) {
			for _, topk := range []uint32{1, 3, 6} {
				c := uniform(like(name, func(c *epperfv1.Case) { c.TokensOfRank, c.Topk = []uint32{0, 9}, topk })...)
				for i, token := range slices.Collect(slices.Chunk(route(t, c).IDs(), int(topk))) {
					ascending := slices.Compact(slices.Sorted(slices.Values(token)))
					if i < 9 && !slices.Equal(ascending, []int32{-1}) {
						t.Fatalf("token %d of a rank without tokens selects %v", i, token)
					}
					if i >= 9 && (len(ascending) != int(topk) || ascending[0] < 0 || ascending[topk-1] > 5) {
						t.Fatalf("a token selects %v of 6 experts", token)
					}
				}
			}
		})
	}
}

func TestBalancedIsBalanced(t *testing.T) {
	c := uniform(like("balanced", func(c *epperfv1.Case) { c.ExpertsPerRank, c.Topk, c.TokensOfRank = 16, 8, []uint32{64, 64} })...)
	for expert, count := range counts(t, c) {
		if count != 2*64*8/32 {
			t.Errorf("expert %d is selected %d times, not %d", expert, count, 2*64*8/32)
		}
	}
}

// The first selection of every token has exactly the probabilities of the rule. The bound is 5
// standard deviations; the ids are fixed, so the test cannot fail now and then.
func TestZipfFollowsItsLaw(t *testing.T) {
	for _, name := range []string{"zipf:0", "zipf:1", "zipf:1.2"} {
		t.Run(name, func(t *testing.T) {
			c := uniform(like(name, func(c *epperfv1.Case) { c.TokensOfRank, c.ExpertsPerRank, c.Topk = []uint32{20_000, 20_000}, 16, 1 })...)
			var sum float64
			share := make([]float64, 32)
			for i := range share {
				share[i] = math.Pow(float64(i+1), -kinds[name].GetZipfExponent())
				sum += share[i]
			}
			for expert, count := range counts(t, c) {
				want := 40_000 * share[expert] / sum
				if math.Abs(float64(count)-want) > 5*math.Sqrt(want) {
					t.Errorf("expert %d is selected %d times, not about %.0f", expert, count, want)
				}
			}
		})
	}
}

// Without replacement: of what is left after the first draw, experts keep their ratios.
func TestZipfDrawsWithoutReplacement(t *testing.T) {
	const tokens = 40_000
	c := uniform(like("zipf:1", func(c *epperfv1.Case) { c.Ranks, c.TokensOfRank, c.ExpertsPerRank, c.Topk = 1, []uint32{tokens}, 3, 2 })...)
	weight := []float64{1, 1 / 2.0, 1 / 3.0}
	total := weight[0] + weight[1] + weight[2]
	pairs := map[[2]int32]int{}
	for token := range slices.Chunk(route(t, c).IDs(), 2) {
		pairs[[2]int32{token[0], token[1]}]++
	}
	for first := range weight {
		for second := range weight {
			if first == second {
				continue
			}
			want := tokens * weight[first] / total * weight[second] / (total - weight[first])
			if got := float64(pairs[[2]int32{int32(first), int32(second)}]); math.Abs(got-want) > 5*math.Sqrt(want) {
				t.Errorf("%d and then %d is selected %.0f times, not about %.0f", first, second, got, want)
			}
		}
	}
}

func TestHotExpertsAreInEveryToken(t *testing.T) {
	const tokens = 4_000
	for name, hot := range map[string]int{"hot:1": 1, "hot:2": 2, "hot:4": 4} {
		t.Run(name, func(t *testing.T) {
			c := uniform(like(name, func(c *epperfv1.Case) { c.TokensOfRank = []uint32{tokens, tokens} })...)
			for token := range slices.Chunk(route(t, c).IDs(), 3) {
				in := 0
				for _, id := range token {
					if int(id) < hot {
						in++
					}
				}
				if in != min(3, hot) {
					t.Fatalf("%v has %d hot experts, not %d", token, in, min(3, hot))
				}
			}
			for expert, count := range counts(t, c) {
				want := float64(2*tokens) * float64(min(3, hot)) / float64(hot)
				if expert >= hot {
					want = float64(2*tokens) * float64(3-min(3, hot)) / float64(6-hot)
				}
				if math.Abs(float64(count)-want) > 5*math.Sqrt(want) {
					t.Errorf("expert %d is selected %d times, not about %.0f", expert, count, want)
				}
			}
		})
	}
}

func counts(t *testing.T, c *epperfv1.Case) []int {
	t.Helper()
	counts := make([]int, c.GetRanks()*c.GetExpertsPerRank())
	for _, id := range route(t, c).IDs() {
		if id >= 0 {
			counts[id]++
		}
	}
	return counts
}
