package plan

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// RankCount returns the ranks of all hosts together; every case of a valid plan has as many.
func RankCount(p *epperfv1.Plan) int {
	if len(p.GetCases()) == 0 {
		return 0
	}
	return int(p.GetCases()[0].GetRanks())
}

// HostCount returns the hosts that the ranks of a valid plan are spread over.
func HostCount(p *epperfv1.Plan) int {
	if p.GetRanksPerHost() == 0 {
		return 0
	}
	return RankCount(p) / int(p.GetRanksPerHost())
}

// Threads returns how many worker threads each rank of a plan has.
func Threads(p *epperfv1.Plan) int { return max(1, int(p.GetThreadsPerRank())) }

// RanksOnHost returns how many ranks of a valid plan share a host. Where they map each other's
// memory that is all of them, whichever launcher started them.
func RanksOnHost(p *epperfv1.Plan) int {
	if BackendOf(p).OneHost {
		return RankCount(p)
	}
	return int(p.GetRanksPerHost())
}

// MaxTokens returns the most tokens that any rank of the case holds; it sizes buffers.
func MaxTokens(c *epperfv1.Case) int {
	if len(c.GetTokensOfRank()) == 0 {
		return 0
	}
	return int(slices.Max(c.GetTokensOfRank()))
}

// Experts returns the experts of all ranks together.
func Experts(c *epperfv1.Case) int {
	return int(c.GetRanks()) * int(c.GetExpertsPerRank())
}

// CaseName names a case in messages: dispatch/t128/k8, with other than the default layout or way to
// combine dispatch/t128/k8/contig/expert, with rows that are quantised before
// dispatch/t128/k8/outside, and on some of a GPU's multiprocessors dispatch/t128/k8/24sms.
func CaseName(c *epperfv1.Case) string {
	if !c.Operates() {
		return c.ModeName()
	}
	name := fmt.Sprintf("%s/t%d/k%d", c.ModeName(), MaxTokens(c), c.GetTopk())
	for _, choice := range c.Choices() {
		switch {
		case !choice.Told:
		case choice.Number != nil:
			name += "/" + choice.Value + choice.Name
		default:
			name += "/" + choice.Value
		}
	}
	return name
}

// Hash returns the SHA-256 of the plan's deterministic serialisation without its run id and
// without paths, equal for runs that were asked the same.
func Hash(p *epperfv1.Plan) []byte {
	var anonymous epperfv1.Plan
	proto.Merge(&anonymous, p)
	anonymous.RunId = ""
	for _, c := range anonymous.GetCases() {
		if file := c.GetRouting().GetFile(); file != nil {
			file.Path = "" // its content counts
		}
	}
	serialised, err := proto.MarshalOptions{Deterministic: true}.Marshal(&anonymous)
	if err != nil {
		// A plan that was made or read here is small and all of its strings are UTF-8.
		panic(fmt.Sprintf("hash plan: %v", err))
	}
	sum := sha256.Sum256(serialised)
	return sum[:]
}
