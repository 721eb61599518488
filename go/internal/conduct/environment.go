package conduct

import (
	"os"

	"github.com/epperf/epperf/go/internal/preflight"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// eagerLoading has CUDA load all kernels when a rank starts. One that is loaded when it is first
// launched would wait for kernels that run, and those wait for this rank.
const eagerLoading = "CUDA_MODULE_LOADING"

// traceback is how much Go's runtime prints where it cannot go on, such as without memory: the reason,
// and unless it is told otherwise the stacks of all that runs.
const traceback = "GOTRACEBACK"

// rankEnvironment is what ranks get besides this process's environment. What the user set stays.
func rankEnvironment(p *epperfv1.Plan) []string {
	own := quietTraceback()
	if _, set := os.LookupEnv(eagerLoading); !set && p.GetDevice() == epperfv1.Device_DEVICE_CUDA {
		own = append(own, eagerLoading+"=EAGER")
	}
	return own
}

// quietTraceback has a process that ends so say only why. What the user set stays.
func quietTraceback() []string {
	if _, set := os.LookupEnv(traceback); set {
		return nil
	}
	return []string{traceback + "=none"}
}

// netDevicesEnvironment makes it what each rank gets beside this process's environment.
func netDevicesEnvironment(ofRank []string) [][]string {
	var environment [][]string
	for _, devices := range ofRank {
		var of []string
		if devices != "" {
			of = []string{preflight.NetDevicesVariable + "=" + devices}
		}
		environment = append(environment, of)
	}
	return environment
}
