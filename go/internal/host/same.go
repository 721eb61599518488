package host

import (
	"cmp"
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An ID tells hosts apart: processes of one can map each other's memory, and share its CPUs.
type ID struct {
	// boot is of one kernel from its start to its end, or the host's name where there is none.
	boot string
	// typed is what the user tells hosts of one kernel apart by.
	typed string
}

// String is equal only where IDs are.
func (id ID) String() string { return id.boot + "/" + id.typed }

// IDOf returns the ID of a described host.
func IDOf(described *epperfv1.Host) ID {
	return ID{cmp.Or(described.GetBootId(), described.GetName()), described.GetHostId()}
}

// Same reports whether two descriptions are of one host.
func Same(a, b *epperfv1.Host) bool { return IDOf(a) == IDOf(b) }

// Comparable reports whether what was measured on one holds for the other: it is the same machine,
// which may have been started anew in between, or have another kernel.
func Comparable(a, b *epperfv1.Host) bool {
	sameGPU := func(a, b *epperfv1.Gpu) bool { return a.GetUuid() == b.GetUuid() }
	return a.GetName() == b.GetName() && a.GetCpuModel() == b.GetCpuModel() && a.GetUsableCpus() == b.GetUsableCpus() &&
		slices.EqualFunc(a.GetGpus(), b.GetGpus(), sameGPU)
}
