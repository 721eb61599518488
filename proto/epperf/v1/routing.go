package epperfv1

import (
	"encoding/hex"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
)

// fileDigits of a routing file's SHA-256 tell any two files apart that a reader has in mind.
const fileDigits = 12

// RoutingName returns a routing as --routing takes it: zipf:1.2. A file is named by its content,
// which is what makes two runs alike: file:<the first digits of its SHA-256>.
func RoutingName(r *Routing) string {
	name := Name(r.GetKind())
	switch r.GetKind() {
	case Routing_KIND_ZIPF:
		name += ":" + strconv.FormatFloat(r.GetZipfExponent(), 'g', -1, 64)
	case Routing_KIND_HOT:
		name += ":" + strconv.FormatUint(uint64(r.GetHotExperts()), 10)
	case Routing_KIND_FILE:
		digits := hex.EncodeToString(r.GetFile().GetSha256())
		name += ":" + digits[:min(len(digits), fileDigits)]
	}
	return name
}

// OfRound returns the case as a round of a soak has it. The first, 0, is as it was asked for; each has its own
// seed, one more than the one before, and those after the first take their routing from a list in turns.
func (c *Case) OfRound(round uint32) *Case {
	if round == 0 {
		return c
	}
	of := proto.CloneOf(c)
	of.Seed += uint64(round)
	of.Routing = []*Routing{
		{Kind: Routing_KIND_UNIFORM},
		{Kind: Routing_KIND_ZIPF, ZipfExponent: 1},
		{Kind: Routing_KIND_HOT, HotExperts: c.GetTopk()},
		{Kind: Routing_KIND_BALANCED},
	}[(round-1)%RoundRoutings]
	return of
}

// RoundRoutings is after how many rounds a routing comes again.
const RoundRoutings = 4

// RoutingForms returns how each kind of routing is typed, for messages and help.
func RoutingForms() string {
	forms := Names(Routing_KIND_UNSPECIFIED)
	parameter := map[string]string{"zipf": ":S", "hot": ":K", "file": ":PATH.npy"}
	for i, kind := range forms {
		forms[i] += parameter[kind]
	}
	return strings.Join(forms, ", ")
}
