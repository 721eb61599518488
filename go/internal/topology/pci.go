package topology

import (
	"fmt"
	"regexp"
	"strings"
)

// This file is where a device lies on PCI, and how far two are apart.

// A PCI is the address of a PCI device as /sys writes it: 0000:1b:00.0.
type PCI string

var (
	address    = regexp.MustCompile(`^0*([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$`)
	hostBridge = regexp.MustCompile(`^pci[0-9a-f]{4,8}:[0-9a-f]{2}$`)
)

// ParsePCI reads an address, also one with a domain of eight digits and capitals, as NVML writes it.
func ParsePCI(text string) (PCI, error) {
	parts := address.FindStringSubmatch(strings.ToLower(text))
	if parts == nil {
		return "", fmt.Errorf("%q is no PCI address such as 0000:1b:00.0", text)
	}
	return PCI(fmt.Sprintf("%s:%s:%s.%s", parts[1], parts[2], parts[3], parts[4])), nil
}

// A Distance is a class of how far two devices are apart. The zero Distance is not known.
type Distance int

// The classes of `nvidia-smi topo -m`, the nearest first.
const (
	Unknown Distance = iota
	PIX              // at most one PCIe switch between them
	PXB              // several, and no host bridge
	PHB              // one host bridge, typically of the CPU
	NODE             // several host bridges of one NUMA node
	SYS              // the link between NUMA nodes
)

var distanceNames = [...]string{"N/A", "PIX", "PXB", "PHB", "NODE", "SYS"}

func (d Distance) String() string { return distanceNames[d] }

// MarshalText makes the class a word in JSON.
func (d Distance) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// rank orders classes, with what is not known as the farthest.
func (d Distance) rank() int {
	if d == Unknown {
		return int(SYS) + 1
	}
	return int(d)
}

// A way leads from a host bridge over PCI bridges to a device: pci0000:16, 0000:16:01.0, …
type way []string

// wayOf finds the way in the folder's name that the device has below /sys/devices; empty if it lies
// on no PCI bus.
func wayOf(folder string) way {
	var w way
	for name := range strings.SplitSeq(folder, "/") {
		if hostBridge.MatchString(name) || len(w) > 0 && address.MatchString(name) {
			w = append(w, name)
		}
	}
	return w
}

// device is the address at the way's end; empty if there is none.
func (w way) device() PCI {
	if len(w) < 2 {
		return ""
	}
	return PCI(w[len(w)-1])
}

// distance compares two ways. Devices of a machine that tells no NUMA node are on one.
func distance(a, b way, numaA, numaB *int) Distance {
	common := 0
	for common < min(len(a), len(b)) && a[common] == b[common] {
		common++
	}
	switch {
	case common == 0 && (numaA == nil) == (numaB == nil) && (numaA == nil || *numaA == *numaB):
		return NODE
	case common == 0:
		return SYS
	case common == 1:
		return PHB
	}
	// A switch is a bridge up, where the ways part, and a bridge down on each side.
	if bridges := max(len(a), len(b)) - common - 1; bridges > 1 {
		return PXB
	}
	return PIX
}
