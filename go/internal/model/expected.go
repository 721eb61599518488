package model

import "math"

// ReachedShare is how likely a token with topk distinct experts, each as likely as the others, has any of the
// experts of one rank: 1 - C(experts - perRank, topk) / C(experts, topk).
func ReachedShare(experts, perRank, topk int) float64 {
	misses := 1.0
	for i := range topk {
		misses *= math.Max(0, float64(experts-perRank-i)) / float64(experts-i)
	}
	return 1 - misses
}

// ExpectedTerms are the bytes of a rank of a machine of nodes, each with so many ranks: a row of rowBytes for each
// (token, rank) pair.
func ExpectedTerms(nodes, ranksPerNode, tokens, experts, topk int, rowBytes float64) Terms {
	ranks := nodes * ranksPerNode
	each := float64(tokens) * ReachedShare(experts, experts/ranks, topk) * rowBytes
	return Terms{MappedBytes: each * float64(ranksPerNode), NetworkBytes: each * float64(ranks-ranksPerNode)}
}
