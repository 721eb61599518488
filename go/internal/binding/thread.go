package binding

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxNodes is more than any kernel numbers.
const maxNodes = 1024

// A nodeSet has a bit per NUMA node.
type nodeSet [maxNodes / 64]uint64

// Thread puts the calling thread there, and with it each process that it starts from then on. Memory follows
// where the kernel allows it.
func (p Place) Thread() error {
	var set unix.CPUSet
	for _, cpu := range p.CPUs {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("bind to CPUs %s: %w; try --bind=none", FormatCPUs(p.CPUs), err)
	}
	node := p.Node
	if !p.Memory {
		node = nil
	}
	if err := preferMemory(node); err != nil && p.Memory {
		return fmt.Errorf("bind to memory of NUMA node %d: %w; try --bind=none", *node, err)
	}
	return nil
}

// preferMemory has the calling thread, and what it starts, allocate on a node while there is room; nil: where
// it runs.
func preferMemory(node *int) error {
	const fromDefault, preferred = 0, 1 // MPOL_DEFAULT, MPOL_PREFERRED
	var nodes nodeSet
	mode, at, bits := uintptr(fromDefault), uintptr(0), uintptr(0)
	if node != nil {
		nodes[*node/64] |= 1 << (*node % 64)
		mode, at, bits = preferred, uintptr(unsafe.Pointer(&nodes)), maxNodes
	}
	_, _, errno := unix.Syscall(unix.SYS_SET_MEMPOLICY, mode, at, bits)
	runtime.KeepAlive(&nodes)
	if errno != 0 {
		return errno
	}
	return nil
}

// WithMemory adds memory to those places whose node has some that the kernel lets this process prefer: a
// container's filter may not, and a cpuset may leave out a node's memory.
func WithMemory(places []Place) []Place {
	may := map[int]bool{}
	tried := make(chan struct{})
	go func() {
		defer close(tried)
		runtime.LockOSThread() // and never unlocked: what is tried here ends with this thread
		for _, place := range places {
			if place.Node == nil {
				continue
			}
			if _, known := may[*place.Node]; !known {
				may[*place.Node] = *place.Node < maxNodes && preferMemory(place.Node) == nil
			}
		}
	}()
	<-tried
	for i := range places {
		places[i].Memory = places[i].Node != nil && may[*places[i].Node]
	}
	return places
}
