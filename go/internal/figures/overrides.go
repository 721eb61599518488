package figures

import (
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An Override is a variable of UCX that a user has set, and that contradicts the run.
type Override struct {
	Variable string
	// By is what brought rows, where the backend means another way; empty where the variable has UCX copy
	// memory that NICs were to reach.
	By Carrier
}

// isNo reports whether UCX reads a value as no (ucs_config_sscanf_bool and _ternary, ucs/config/parser.c).
func isNo(value string) bool {
	return slices.Contains([]string{"n", "no", "0", "off"}, strings.ToLower(value))
}

// overrides returns what users set of UCX that contradicts what a case did, by this table:
//
//	UCX_TLS                 none maps nothing, so that rows go as they do between hosts (csrc/region/factory.cc)
//	UCX_IB_GPU_DIRECT_RDMA  NICs register GPUs' memory, unless it is no (uct/ib/base/ib_md.c)
//
// What leaves UCX no way at all ends a run with an error that names it (csrc/nixl/settings.cc). UCX_RNDV_SCHEME and
// UCX_MEMTYPE_CACHE contradict nothing: a put is no rendezvous, and NIXL tells UCX what kind of memory it registers.
func overrides(header *epperfv1.Header, ranks []record.RankRecord, carriers []Carrier) []Override {
	var found []Override
	if plan.BackendOf(header.GetPlan()).Networked && isSet(header, "UCX_TLS", func(string) bool { return true }) {
		for _, by := range []Carrier{SharedMemory, CUDAIPC} {
			if slices.Contains(carriers, by) {
				found = append(found, Override{"UCX_TLS", by})
			}
		}
	}
	// Emulation over RDMA, as UCX has it for memory that NICs do not reach, is one of the others.
	overNICs := slices.Contains(carriers, RDMA) || slices.Contains(carriers, OtherTransports)
	const direct = "UCX_IB_GPU_DIRECT_RDMA"
	if overNICs && usesPath(ranks, epperfv1.Path_PATH_GPUDIRECT) && isSet(header, direct, isNo) {
		found = append(found, Override{Variable: direct})
	}
	return found
}

// isSet reports whether any host's user has set a variable to such a value.
func isSet(header *epperfv1.Header, variable string, such func(value string) bool) bool {
	return slices.ContainsFunc(header.GetHosts(), func(host *epperfv1.Host) bool {
		return slices.ContainsFunc(host.GetUcxEnvironment(), func(set string) bool {
			value, of := strings.CutPrefix(set, variable+"=")
			return of && such(value)
		})
	})
}
