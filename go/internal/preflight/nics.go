package preflight

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/topology"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// NetDevicesVariable is where UCX reads what it may use. What the user set stays.
const NetDevicesVariable = "UCX_NET_DEVICES"

// NICs are what a user asks of them.
type NICs struct {
	skip   bool
	perGPU int
	wanted topology.Map
}

// NewNICs finds what needs no plan to be wrong: skip leaves NICs to UCX, text is a map of them.
func NewNICs(skip bool, perGPU int, text string) (NICs, error) {
	choice := NICs{skip: skip, perGPU: perGPU}
	if choice.perGPU < 1 {
		return choice, command.Usagef("--nics-per-gpu=%d: must be at least 1; try --skip-nic-discovery for none", choice.perGPU)
	}
	var err error
	if choice.wanted, err = topology.ParseMap(text); err != nil {
		return choice, command.Usagef("--nic-map: %w", err)
	}
	if set, found := os.LookupEnv(NetDevicesVariable); found && (len(choice.wanted) > 0 || choice.perGPU > 1) {
		flag := "--nic-map"
		if len(choice.wanted) == 0 {
			flag = fmt.Sprintf("--nics-per-gpu=%d", choice.perGPU)
		}
		return choice, command.Usagef("%s: %s=%s is set, and what is set stays; unset it or leave out the flag", flag, NetDevicesVariable, set)
	}
	if choice.skip && len(choice.wanted) > 0 {
		return choice, command.Usagef("--nic-map: --skip-nic-discovery leaves NICs to UCX; leave out one of the two")
	}
	return choice, nil
}

// OfRanks returns the UCX_NET_DEVICES of each of this host's ranks, as its /sys and the user have it;
// empty for one that UCX chooses for, nil where that is all of them. Where nothing is found, it says
// so and goes on: UCX may know better.
func (n NICs) OfRanks(p *epperfv1.Plan, gpus []*epperfv1.Gpu, sys fs.FS, stderr io.Writer) ([]string, error) {
	if !usesNICs(p) || len(gpus) == 0 {
		if len(n.wanted) > 0 {
			return nil, command.Usagef("--nic-map: ranks of this run use no NIC; leave it out, or try --device=cuda --nvlink-backend=none")
		}
		return nil, nil
	}
	if _, set := os.LookupEnv(NetDevicesVariable); set || n.skip {
		return nil, nil
	}
	host, err := readHost(sys)
	if err != nil && len(n.wanted) == 0 {
		fmt.Fprintf(stderr, "perf: %v; UCX chooses NICs\n", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--nic-map: %w", err)
	}
	var addresses []topology.PCI
	for _, gpu := range gpus {
		// One that cannot be read is none that /sys has.
		address, _ := topology.ParsePCI(gpu.GetPci())
		addresses = append(addresses, address)
	}
	devices, err := host.NetDevicesOf(addresses, n.perGPU, n.wanted)
	if err != nil {
		return nil, command.Usagef("--nic-map: %w", err)
	}
	if !slices.ContainsFunc(devices, func(of string) bool { return of != "" }) {
		fmt.Fprintln(stderr, "perf: no NIC with an active port is found for any GPU; UCX chooses (perf topo shows what there is)")
		return nil, nil
	}
	if left := withoutNIC(devices); len(left) > 0 {
		fmt.Fprintf(stderr, "perf: no NIC is found for GPU %s; UCX chooses there (perf topo shows what there is)\n", strings.Join(left, ", "))
	}
	ofRank := make([]string, p.GetRanksPerHost())
	for local := range ofRank {
		ofRank[local] = devices[local%len(devices)]
	}
	return ofRank, nil
}

// readHost looks at all GPUs of the host, not only this launcher's: launchers that share the host then
// share its NICs evenly.
func readHost(sys fs.FS) (*topology.Topology, error) {
	gpus, err := topology.GPUsOf(sys)
	if err != nil {
		return nil, err
	}
	return topology.Read(sys, gpus)
}

// usesNICs reports whether ranks move rows with UCX.
func usesNICs(p *epperfv1.Plan) bool {
	return plan.BackendOf(p).On(p.GetDevice()).NICs
}

// withoutNIC lists the GPUs that have none.
func withoutNIC(devices []string) []string {
	var left []string
	for gpu, of := range devices {
		if of == "" {
			left = append(left, fmt.Sprint(gpu))
		}
	}
	return left
}
