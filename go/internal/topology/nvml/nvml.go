// Package nvml asks NVIDIA's driver what GPUs a host has and how they are connected.
//
// The driver's library is looked for when GPUs is called: a program that has this package starts on
// any machine. late.c says how.
package nvml

/*
#include <stdlib.h>
#include "go/internal/topology/nvml/late/late.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/epperf/epperf/go/internal/topology"
)

// libraryName is found as the dynamic linker finds libraries, LD_LIBRARY_PATH included.
const libraryName = "libnvidia-ml.so.1"

// A NoDriverError says that this host has no driver, or none that works.
type NoDriverError struct{ Reason string }

func (e *NoDriverError) Error() string { return "no driver tells of GPUs: " + e.Reason }

// GPUs returns the host's GPUs in the driver's order, which CUDA_VISIBLE_DEVICES does not change. The
// error is a *NoDriverError where nobody can be asked.
func GPUs() ([]topology.GPU, error) { return gpusOf(libraryName) }

func gpusOf(path string) ([]topology.GPU, error) {
	if err := bind(path); err != nil {
		return nil, err
	}
	library := nvml.New(nvml.WithLibraryPath(path))
	if result := library.Init(); result != nvml.SUCCESS {
		return nil, &NoDriverError{"the driver does not start: " + result.Error()}
	}
	defer library.Shutdown()
	gpus, err := list(library)
	if err != nil {
		return nil, &NoDriverError{err.Error()}
	}
	return gpus, nil
}

var binding sync.Mutex

// bind leads NVML's functions to those of a library; the error is a *NoDriverError.
func bind(path string) error {
	binding.Lock()
	defer binding.Unlock()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	switch C.epperf_nvml_bind(name) {
	case -1:
		return &NoDriverError{path + " cannot be loaded"}
	case 0:
		return &NoDriverError{path + " has none of NVML's functions"}
	}
	return nil
}

// list reads what a library tells of its GPUs. What it does not tell of one is absent.
func list(library nvml.Interface) ([]topology.GPU, error) {
	count, result := library.DeviceGetCount()
	if result != nvml.SUCCESS {
		return nil, fmt.Errorf("count GPUs: %w", result)
	}
	devices := make([]nvml.Device, count)
	gpus := make([]topology.GPU, count)
	links := make([]linkCounts, count)
	for i := range count {
		device, result := library.DeviceGetHandleByIndex(i)
		if result != nvml.SUCCESS {
			return nil, fmt.Errorf("GPU %d: open it: %w", i, result)
		}
		gpu, err := describe(device)
		if err != nil {
			return nil, fmt.Errorf("GPU %d: %w", i, err)
		}
		devices[i], gpus[i], links[i] = device, gpu, linksOf(device)
	}
	for i := range gpus {
		gpus[i].Peers, gpus[i].DownNVLinks = make([]topology.Peer, count), links[i].down
		for j := range gpus {
			if i != j {
				gpus[i].Peers[j] = topology.Peer{
					Distance: distance(devices[i], devices[j]),
					NVLinks:  links[i].to(gpus[j].PCI, links[j]),
				}
			}
		}
	}
	return gpus, nil
}

func describe(device nvml.Device) (topology.GPU, error) {
	var gpu topology.GPU
	pci, result := device.GetPciInfo()
	if result != nvml.SUCCESS {
		return gpu, fmt.Errorf("find its PCI address: %w", result)
	}
	var err error
	if gpu.PCI, err = topology.ParsePCI(text(pci.BusId[:])); err != nil {
		return gpu, err
	}
	gpu.Name, _ = device.GetName()
	gpu.UUID, _ = device.GetUUID()
	gpu.NUMA = numaOf(device)
	return gpu, nil
}

// numaOf returns the NUMA node whose memory is nearest to a GPU, nil if it is not told or not one.
func numaOf(device nvml.Device) *int {
	const words = 4 // 256 nodes
	nodes, result := device.GetMemoryAffinity(words, nvml.AFFINITY_SCOPE_NODE)
	if result != nvml.SUCCESS {
		return nil
	}
	var numa *int
	for word, bits := range nodes {
		for bit := range 64 {
			if bits>>bit&1 == 0 {
				continue
			}
			if numa != nil {
				return nil
			}
			numa = new(64*word + bit)
		}
	}
	return numa
}

// distance returns how far two GPUs are apart on PCI.
func distance(a, b nvml.Device) topology.Distance {
	level, result := a.GetTopologyCommonAncestor(b)
	if result != nvml.SUCCESS {
		return topology.Unknown
	}
	switch level {
	case nvml.TOPOLOGY_INTERNAL, nvml.TOPOLOGY_SINGLE: // internal: of one board
		return topology.PIX
	case nvml.TOPOLOGY_MULTIPLE:
		return topology.PXB
	case nvml.TOPOLOGY_HOSTBRIDGE:
		return topology.PHB
	case nvml.TOPOLOGY_NODE:
		return topology.NODE
	case nvml.TOPOLOGY_SYSTEM:
		return topology.SYS
	}
	return topology.Unknown
}

// linkCounts are a GPU's NVLinks, the active ones by where they lead.
type linkCounts struct {
	down     int // of those that are not
	switches int // to NVSwitches, which reach every GPU of the box
	gpus     map[topology.PCI]int
}

func linksOf(device nvml.Device) linkCounts {
	counts := linkCounts{gpus: map[topology.PCI]int{}}
	for link := range nvml.NVLINK_MAX_LINKS {
		state, result := device.GetNvLinkState(link)
		if result != nvml.SUCCESS {
			continue // it has no such link
		}
		if state != nvml.FEATURE_ENABLED {
			counts.down++
			continue
		}
		kind, result := device.GetNvLinkRemoteDeviceType(link)
		if result == nvml.SUCCESS && kind == nvml.NVLINK_DEVICE_TYPE_SWITCH {
			counts.switches++
			continue
		}
		remote, result := device.GetNvLinkRemotePciInfo(link)
		if result != nvml.SUCCESS {
			continue
		}
		if pci, err := topology.ParsePCI(text(remote.BusId[:])); err == nil {
			counts.gpus[pci]++
		}
	}
	return counts
}

// to returns how many links lead from a GPU to another: their own, or those of both to the switches.
func (c linkCounts) to(peer topology.PCI, of linkCounts) int {
	return max(c.gpus[peer], min(c.switches, of.switches))
}

// text returns what a C string in an array holds.
func text[B ~int8 | ~uint8](array []B) string {
	var bytes []byte
	for _, b := range array {
		if b == 0 {
			break
		}
		bytes = append(bytes, byte(b))
	}
	return string(bytes)
}
