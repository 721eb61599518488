package figures

import (
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
		var proxied bool
		for peer, path := range rank.Result.GetPathToRank() {
			switch {
			case peer == number || path == epperfv1.Path_PATH_OWN:
			case path == epperfv1.Path_PATH_MAPPED:
				found[Mapped] = true
			default:
				proxied = true
			}
		}
		if !proxied {
			continue
		}
		transports := carriersOf(rank.Result.GetNetwork().GetTransports())
		if len(transports) == 0 {
			found[Unknown] = true
		}
		for _, carrier := range transports {
			found[carrier] = true
		}
	}
	var carriers []Carrier
	for _, carrier := range []Carrier{Mapped, RDMA, TCP, SharedMemory, OtherTransports, Unknown} {
		if found[carrier] {
			carriers = append(carriers, carrier)
		}
	}
	return carriers
}

// carriersOf reads UCX's lines, as "intra-node rma(tcp/lo) amo(...) am(...)": lanes that write, of all
// configurations but that of a process with itself. rma_am is writing that is emulated by messages.
func carriersOf(transports []string) []Carrier {
	var carriers []Carrier
	for _, transport := range transports {
		if strings.HasPrefix(transport, "self ") {
			continue
		}
		for _, lanes := range strings.SplitAfter(transport, ")") {
			kind, lanes, ok := strings.Cut(lanes, "(")
			fields := strings.Fields(kind)
			if !ok || len(fields) == 0 {
				continue
			}
			kind = fields[len(fields)-1]
			if kind != "rma" && kind != "rma_am" {
				continue
			}
			for _, lane := range strings.Fields(strings.TrimSuffix(lanes, ")")) {
				name, _, _ := strings.Cut(lane, "/")
				carrier := carrierOf(name)
				if carrier == RDMA && kind == "rma_am" {
					carrier = OtherTransports
				}
				if !slices.Contains(carriers, carrier) {
					carriers = append(carriers, carrier)
				}
			}
		}
	}
	return carriers
}

func carrierOf(transport string) Carrier {
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

// isOverridden reports whether a host's user has told UCX what brings rows in a way that the backend
// does not mean.
func isOverridden(header *epperfv1.Header, carriers []Carrier) bool {
	if header.GetPlan().GetNvlinkBackend() != epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE ||
		!slices.Contains(carriers, SharedMemory) {
		return false
	}
	return slices.ContainsFunc(header.GetHosts(), func(host *epperfv1.Host) bool {
		return slices.ContainsFunc(host.GetUcxEnvironment(), func(variable string) bool {
			return strings.HasPrefix(variable, "UCX_TLS=")
		})
	})
}
