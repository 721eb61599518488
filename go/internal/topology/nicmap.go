package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Map names the NICs of GPUs by their numbers: what a user wants instead of what Assign finds.
type Map map[int][]string

// ParseMap reads what a user types, such as 0=mlx5_0,1=mlx5_1+mlx5_2. An empty text maps nothing.
func ParseMap(text string) (Map, error) {
	wanted := Map{}
	if text == "" {
		return wanted, nil
	}
	for entry := range strings.SplitSeq(text, ",") {
		gpu, nics, found := strings.Cut(entry, "=")
		number, err := strconv.Atoi(gpu)
		names := strings.Split(nics, "+")
		if !found || err != nil || number < 0 || slices.Contains(names, "") {
			return nil, fmt.Errorf("%q is no GPU with its NICs; try 0=mlx5_0 or 1=mlx5_1+mlx5_2", entry)
		}
		if wanted[number] != nil {
			return nil, fmt.Errorf("GPU %d has two entries; join its NICs with +", number)
		}
		wanted[number] = names
	}
	return wanted, nil
}

// NetDevicesOf returns what UCX_NET_DEVICES should be for each of a run's GPUs: the NICs that the map
// has for it by its place, else those that Assign finds. It is empty where UCX should choose itself:
// there is no NIC, or /sys does not know the GPU. The error is what is wrong with the map.
func (t *Topology) NetDevicesOf(gpus []PCI, nicsPerGPU int, wanted Map) ([]string, error) {
	for number := range wanted {
		if number >= len(gpus) {
			return nil, fmt.Errorf("there is no GPU %d among the %d that ranks of this host use", number, len(gpus))
		}
	}
	assigned := t.Assign(nicsPerGPU)
	devices := make([]string, len(gpus))
	for i, pci := range gpus {
		if names := wanted[i]; names != nil {
			nics, err := t.named(names)
			if err != nil {
				return nil, fmt.Errorf("GPU %d: %w", i, err)
			}
			devices[i] = t.NetDevices(nics)
			continue
		}
		if place := slices.IndexFunc(t.GPUs, func(gpu GPU) bool { return gpu.PCI == pci }); place >= 0 {
			devices[i] = t.NetDevices(assigned[place])
		}
	}
	return devices, nil
}

// named returns the places of NICs. Each has to be there, and to have a port that carries data.
func (t *Topology) named(names []string) ([]int, error) {
	var nics []int
	for i, name := range names {
		place := slices.IndexFunc(t.NICs, func(nic NIC) bool { return nic.Name == name })
		if place < 0 {
			return nil, fmt.Errorf("there is no NIC %s; try %s", name, t.usable())
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("it has NIC %s twice", name)
		}
		if _, usable := t.NICs[place].port(); !usable {
			return nil, fmt.Errorf("no port of NIC %s is active; try %s", name, t.usable())
		}
		nics = append(nics, place)
	}
	return nics, nil
}

// usable lists the NICs that a map may have.
func (t *Topology) usable() string {
	var names []string
	for _, nic := range t.NICs {
		if _, usable := nic.port(); usable {
			names = append(names, nic.Name)
		}
	}
	if len(names) == 0 {
		return "without, as this host has no NIC that can be used"
	}
	return strings.Join(names, ", ")
}
