package figures

import (
	"regexp"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Carrier is what brought rows from rank to rank.
type Carrier string

// The carriers that are told apart.
const (
	Mapped       Carrier = "mapped" // stores to mapped memory
	RDMA         Carrier = "rdma"
	TCP          Carrier = "tcp"
	SharedMemory Carrier = "shared_memory" // messages that UCX copies within a host
	CUDAIPC      Carrier = "cuda_ipc"      // the same between GPUs
	// OtherTransports are those whose names are not known here, and emulation over RDMA.
	OtherTransports Carrier = "other"
	// Unknown: UCX's log goes elsewhere.
	Unknown Carrier = "unknown"
)

// carriedBy returns all that carried rows between different ranks, in the order of the constants;
// none where no rank says how it reaches others.
func carriedBy(ranks []record.RankRecord) []Carrier {
	found := map[Carrier]bool{}
	for number, rank := range ranks {
		var proxied, ofGPUs bool
		for peer, path := range rank.Result.GetPathToRank() {
			switch {
			case peer == number || path == epperfv1.Path_PATH_OWN:
			case path == epperfv1.Path_PATH_MAPPED:
				found[Mapped] = true
			default:
				proxied = true
				ofGPUs = ofGPUs || path == epperfv1.Path_PATH_GPUDIRECT
			}
		}
		if !proxied {
			continue
		}
		transports := carriersOf(rank.Result.GetNetwork().GetTransports(), ofGPUs)
		if len(transports) == 0 {
			found[Unknown] = true
		}
		for _, carrier := range transports {
			found[carrier] = true
		}
	}
	var carriers []Carrier
	for _, carrier := range []Carrier{Mapped, RDMA, TCP, SharedMemory, CUDAIPC, OtherTransports, Unknown} {
		if found[carrier] {
			carriers = append(carriers, carrier)
		}
	}
	return carriers
}

// writing finds the lanes that write in a line of UCX, as "intra-node rma(tcp/lo) amo(...) am(...)".
var writing = regexp.MustCompile(`(?:^| )(rma|rma_am)\(([^)]*)\)`)

// carriersOf reads UCX's lines: lanes that write, of all configurations but that of a process with itself.
// rma_am is writing that is emulated by messages. Between GPUs' memory what writes is cuda_ipc wherever
// there is such a lane, which UCX lists with those of messages.
func carriersOf(transports []string, ofGPUs bool) (carriers []Carrier) {
	for _, transport := range transports {
		if strings.HasPrefix(transport, "self ") {
			continue
		}
		if ofGPUs && strings.Contains(transport, "cuda_ipc/") {
			carriers = append(carriers, CUDAIPC)
			continue
		}
		for _, found := range writing.FindAllStringSubmatch(transport, -1) {
			for _, lane := range strings.Fields(found[2]) {
				name, _, _ := strings.Cut(lane, "/")
				if name == "cuda_copy" || name == "gdr_copy" {
					continue // between a GPU and its host, on the way to another lane
				}
				carrier := carrierOf(name)
				if carrier == RDMA && found[1] == "rma_am" {
					carrier = OtherTransports
				}
				carriers = append(carriers, carrier)
			}
		}
	}
	return carriers
}

func carrierOf(transport string) Carrier {
	if transport == "cuda_ipc" {
		return CUDAIPC
	}
	switch name, _, _ := strings.Cut(transport, "_"); name {
	case "rc", "dc", "ud", "srd":
		return RDMA
	case "tcp":
		return TCP
	case "sysv", "posix", "cma", "knem", "xpmem":
		return SharedMemory
	}
	return OtherTransports
}

// A Staging is where rows of GPUs stop on their way over a network.
type Staging string

// The places to stop.
const (
	StagedInHost Staging = "staged_in_host" // memory that kernels write and read
	StagedByUCX  Staging = "staged_by_ucx"  // wherever UCX copies the GPUs' memory to
)

// stagedIn returns all places where rows of GPUs stopped, of ranks that such carriers brought them.
func stagedIn(ranks []record.RankRecord, carriers []Carrier) []Staging {
	var stagings []Staging
	if usesPath(ranks, epperfv1.Path_PATH_STAGED) {
		stagings = append(stagings, StagedInHost)
	}
	direct := func(carrier Carrier) bool {
		return carrier == Mapped || carrier == RDMA || carrier == CUDAIPC || carrier == Unknown
	}
	if usesPath(ranks, epperfv1.Path_PATH_GPUDIRECT) && slices.ContainsFunc(carriers, func(c Carrier) bool { return !direct(c) }) {
		stagings = append(stagings, StagedByUCX)
	}
	return stagings
}

// usesPath reports whether any rank reaches any other by such a path.
func usesPath(ranks []record.RankRecord, path epperfv1.Path) bool {
	return slices.ContainsFunc(ranks, func(rank record.RankRecord) bool {
		return slices.Contains(rank.Result.GetPathToRank(), path)
	})
}
