package topology

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// This file reads /sys. What a machine does not tell is absent: drivers differ in what they have.

// readNICs finds the devices that RDMA knows, in the order of their names' numbers.
func readNICs(sys fs.FS) ([]NIC, error) {
	const class = "class/infiniband"
	entries, err := fs.ReadDir(sys, class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var nics []NIC
	for _, entry := range entries {
		nics = append(nics, readNIC(sys, resolve(sys, class+"/"+entry.Name()), entry.Name()))
	}
	slices.SortFunc(nics, func(a, b NIC) int { return compareNames(a.Name, b.Name) })
	return nics, nil
}

// readNIC reads the NIC with a folder such as devices/pci0000:16/…/0000:18:00.0/infiniband/mlx5_0.
func readNIC(sys fs.FS, folder, name string) NIC {
	nic := NIC{Name: name, PCI: wayOf(folder).device()}
	device := path.Dir(path.Dir(folder))
	if nic.PCI == "" {
		device = folder + "/device"
	}
	nic.NUMA, nic.CPUs = numaOf(sys, device), line(sys, device+"/local_cpulist")
	if driver, err := fs.ReadLink(sys, device+"/driver"); err == nil {
		nic.Driver = path.Base(driver)
	}
	interfaces, _ := fs.ReadDir(sys, device+"/net")
	for _, entry := range interfaces {
		nic.NetDevices = append(nic.NetDevices, entry.Name())
	}
	ports, _ := fs.ReadDir(sys, folder+"/ports")
	for _, entry := range ports {
		n, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		of := folder + "/ports/" + entry.Name()
		_, state, _ := strings.Cut(line(sys, of+"/state"), ": ") // 4: ACTIVE
		rate, _, _ := strings.Cut(line(sys, of+"/rate"), " ")    // 400 Gb/sec (4X NDR)
		gigabits, _ := strconv.ParseFloat(rate, 64)
		nic.Ports = append(nic.Ports, Port{n, state, line(sys, of+"/link_layer"), gigabits})
	}
	slices.SortFunc(nic.Ports, func(a, b Port) int { return a.Number - b.Number })
	return nic
}

// GPUsOf lists the GPUs of NVIDIA that /sys has, in the order of their addresses. Unlike a driver it
// knows neither names nor what CUDA_VISIBLE_DEVICES leaves, so all launchers of a host see the same.
func GPUsOf(sys fs.FS) ([]GPU, error) {
	const nvidia, display = "0x10de", "0x03" // of PCI's vendors and classes
	entries, err := fs.ReadDir(sys, "bus/pci/devices")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for GPUs in /sys: %w", err)
	}
	var gpus []GPU
	for _, entry := range entries {
		folder := resolve(sys, "bus/pci/devices/"+entry.Name())
		if line(sys, folder+"/vendor") == nvidia && strings.HasPrefix(line(sys, folder+"/class"), display) {
			gpus = append(gpus, GPU{PCI: PCI(entry.Name())})
		}
	}
	return gpus, nil
}

// folderOf returns where /sys has a PCI device.
func folderOf(sys fs.FS, pci PCI) string { return resolve(sys, "bus/pci/devices/"+string(pci)) }

// resolve returns where a link leads, or the name itself where it is none.
func resolve(sys fs.FS, name string) string {
	target, err := fs.ReadLink(sys, name)
	if err != nil {
		return name
	}
	return path.Join(path.Dir(name), target)
}

// numaOf returns the NUMA node of a device's folder; nil where it does not tell, or says -1.
func numaOf(sys fs.FS, folder string) *int {
	node, err := strconv.Atoi(line(sys, folder+"/numa_node"))
	if err != nil || node < 0 {
		return nil
	}
	return &node
}

// line returns what a file holds, without its line's end.
func line(sys fs.FS, name string) string {
	text, err := fs.ReadFile(sys, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

var lastNumber = regexp.MustCompile(`^(.*?)(\d+)$`)

// compareNames puts mlx5_2 before mlx5_10.
func compareNames(a, b string) int {
	partsA, partsB := lastNumber.FindStringSubmatch(a), lastNumber.FindStringSubmatch(b)
	if partsA == nil || partsB == nil || partsA[1] != partsB[1] {
		return cmp.Compare(a, b)
	}
	return cmp.Or(cmp.Compare(len(partsA[2]), len(partsB[2])), cmp.Compare(partsA[2], partsB[2]))
}
