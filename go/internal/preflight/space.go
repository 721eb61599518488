package preflight

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// sharedMemory is where a server's data may lie when the temporary folder has no room: it is memory, of
// which a server takes little.
const sharedMemory = "/dev/shm"

// Room is what a folder has to have free.
type Room struct{ Bytes, Files uint64 }

// ServerFolder returns a folder with room for the data of a server: the temporary one, else that of
// shared memory, and then why.
func ServerFolder(need Room) (folder, note string, err error) {
	temporary, err := filepath.Abs(os.TempDir()) // the server's process stands elsewhere
	if err != nil {
		return "", "", fmt.Errorf("find the temporary folder: %w", err)
	}
	first := roomFor(temporary, need)
	if first == nil {
		return temporary, "", nil
	}
	if os.Getenv("TMPDIR") != "" {
		first = fmt.Errorf("TMPDIR=%w", first)
	}
	second := roomFor(sharedMemory, need)
	if second == nil {
		return sharedMemory, fmt.Sprintf("etcd's data (%s, %d files) are in %s: %v", mebibytes(need.Bytes), need.Files, sharedMemory, first), nil
	}
	return "", "", fmt.Errorf("etcd needs %s and %d files for its data: %w; %w; free some there, or set TMPDIR to another folder",
		mebibytes(need.Bytes), need.Files, first, second)
}

// processAddresses are those of a rank's process before it has an engine: Go's runtime, code, stacks.
const processAddresses = 1200 << 20

// withinLimits refuses a case for which this process may not write large enough files, or whose ranks may
// not have as many addresses as they map: regions are files without names, and each rank maps all. What
// CUDA reserves is not known, nor how large a record becomes.
func withinLimits(p *epperfv1.Plan, c *epperfv1.Case, memory HostMemory, system host.System) error {
	const smallest = 4 << 20 // of etcd's files, and more than a record begins with
	if needed := max(memory.Largest.RegionBytes, smallest); system.FileBytes < needed {
		return command.Usagef("%s needs files of %s, and the limit is %s; try ulimit -f %d",
			plan.CaseName(c), mebibytes(needed), mebibytes(system.FileBytes), (needed+1023)>>10)
	}
	if system.AddressBytes == unix.RLIM_INFINITY || p.GetDevice() == epperfv1.Device_DEVICE_CUDA {
		return nil
	}
	largest := memory.Largest
	needed := processAddresses + uint64(c.GetRanks())*largest.RegionBytes + largest.PrivateBytes + largest.RoutingBytes
	if system.AddressBytes < needed {
		return command.Usagef("%s needs %s of address space for each rank, and the limit is %s; try ulimit -v %d, or fewer --num-processes, --tokens or --experts-per-rank",
			plan.CaseName(c), gibibytes(needed), gibibytes(system.AddressBytes), (needed+1023)>>10)
	}
	return nil
}

// roomFor returns why a folder will not do.
func roomFor(folder string, need Room) error {
	var system unix.Statfs_t
	if err := unix.Statfs(folder, &system); err != nil {
		return fmt.Errorf("%s is not to be used: %w", folder, err)
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s is not to be written to: %w", folder, err)
	}
	if free := system.Bavail * uint64(system.Bsize); free < need.Bytes {
		return fmt.Errorf("%s has %s free", folder, mebibytes(free))
	}
	if system.Files > 0 && system.Ffree < need.Files { // some file systems count none
		return fmt.Errorf("%s has room for %d files", folder, system.Ffree)
	}
	return nil
}

func mebibytes(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
