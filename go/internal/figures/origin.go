package figures

import (
	"encoding/hex"
	"time"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An Origin is where a record comes from: which run, of what program, on which machines.
type Origin struct {
	Path, RunID, BuildID string
	// PlanSHA256 is equal for runs that were asked the same; "" where the record does not say.
	PlanSHA256 string
	Started    time.Time
	Ending     Ending
	Error      string
	Device     string
	Backend    string
	Threads    int // of each rank
	Hosts      []HostOrigin
}

// A HostOrigin is one machine of a run. What it does not tell is "" or 0.
type HostOrigin struct {
	Name, CPU, Kernel, Clocksource string
	UsableCPUs                     int
	MemoryBytes                    uint64
	GPUs                           []*epperfv1.Gpu
	// UCX are its variables as name=value.
	UCX []string
}

// OriginOf says where a record comes from.
func OriginOf(r *record.Record) Origin {
	plan := r.Header.GetPlan()
	origin := Origin{
		Path:       r.Path,
		RunID:      plan.GetRunId(),
		BuildID:    r.Header.GetBuildId(),
		PlanSHA256: hex.EncodeToString(r.Header.GetPlanSha256()),
		Started:    time.Unix(0, r.Header.GetStartedUnixNs()).UTC(),
		Ending:     ending(r.Trailer),
		Error:      r.Trailer.GetError(),
		Device:     epperfv1.Name(plan.GetDevice()),
		Backend:    epperfv1.Name(plan.GetNvlinkBackend()),
		Threads:    max(1, int(plan.GetThreadsPerRank())),
	}
	for _, host := range r.Header.GetHosts() {
		origin.Hosts = append(origin.Hosts, HostOrigin{
			Name: host.GetName(), CPU: host.GetCpuModel(), Kernel: host.GetKernel(), Clocksource: host.GetClocksource(),
			UsableCPUs: int(host.GetUsableCpus()), MemoryBytes: host.GetMemoryBytes(), GPUs: host.GetGpus(),
			UCX: host.GetUcxEnvironment(),
		})
	}
	return origin
}
