package topology

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
)

// This file is the table: what `nvidia-smi topo -m` prints, in columns that are aligned, and the same
// as JSON.

// A Matrix holds the class of each pair of devices, as its users know it: PIX, NV18, X for itself.
// Devices are GPU0, GPU1, … and then NICs by the names that RDMA has for them.
type Matrix struct {
	Names []string   `json:"names"`
	Cells [][]string `json:"cells"`
}

// Matrix returns the classes of all pairs.
func (t *Topology) Matrix() Matrix {
	var m Matrix
	for gpu := range t.GPUs {
		m.Names = append(m.Names, gpuName(gpu))
	}
	for _, nic := range t.NICs {
		m.Names = append(m.Names, nic.Name)
	}
	for row := range m.Names {
		cells := make([]string, len(m.Names))
		for column := range m.Names {
			cells[column] = t.cell(row, column)
		}
		m.Cells = append(m.Cells, cells)
	}
	return m
}

func gpuName(gpu int) string { return "GPU" + strconv.Itoa(gpu) }

func (t *Topology) cell(row, column int) string {
	gpus := len(t.GPUs)
	switch {
	case row == column:
		return "X"
	case row < gpus && column < gpus:
		if way := t.GPUToGPU(row, column); way.NVLinks > 0 {
			return "NV" + strconv.Itoa(way.NVLinks)
		}
		return t.GPUToGPU(row, column).Distance.String()
	case row < gpus:
		return t.GPUToNIC(row, column-gpus).String()
	case column < gpus:
		return t.GPUToNIC(column, row-gpus).String()
	}
	return t.NICToNIC(row-gpus, column-gpus).String()
}

const legend = `
Legend:

  X     itself
  SYS   over PCIe and the link between NUMA nodes
  NODE  over PCIe and the link between PCIe host bridges of a NUMA node
  PHB   over PCIe and a PCIe host bridge, typically the CPU's
  PXB   over several PCIe switches, and no host bridge
  PIX   over at most one PCIe switch
  NV#   over # NVLinks
  N/A   not told
`

// Text returns the table, its legends, and which NICs each GPU should use; nothing of a host with
// neither.
func (t *Topology) Text(nicsPerGPU int) string {
	var text bytes.Buffer
	m := t.Matrix()
	if len(m.Names) == 0 {
		return ""
	}
	table := newTable(&text)
	header := ""
	for column := range m.Names {
		header += "\t" + t.shortName(column)
	}
	if len(t.GPUs) > 0 {
		header += "\tCPU Affinity\tNUMA Affinity"
	}
	fmt.Fprintln(table, header)
	for row, cells := range m.Cells {
		fmt.Fprintf(table, "%s\t%s", t.shortName(row), strings.Join(cells, "\t"))
		if row < len(t.GPUs) {
			fmt.Fprintf(table, "\t%s\t%s", told(t.GPUs[row].CPUs), nodeText(t.GPUs[row].NUMA))
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	text.WriteString(legend)
	t.writeNICs(&text)
	t.writeAssignment(&text, nicsPerGPU)
	return withoutTrailingSpace(text.String())
}

// shortName is a device's name in the table, where columns are narrow.
func (t *Topology) shortName(place int) string {
	if place < len(t.GPUs) {
		return gpuName(place)
	}
	return "NIC" + strconv.Itoa(place-len(t.GPUs))
}

// writeNICs says what the short names mean, and how each port is.
func (t *Topology) writeNICs(text *bytes.Buffer) {
	if len(t.NICs) == 0 {
		return
	}
	text.WriteString("\nNIC Legend:\n\n")
	table := newTable(text)
	for i, nic := range t.NICs {
		for j, port := range nic.Ports {
			name := ""
			if j == 0 {
				name = fmt.Sprintf("  NIC%d: %s", i, nic.Name)
			}
			rate := ""
			if port.GigabitsPerSecond > 0 {
				rate = strconv.FormatFloat(port.GigabitsPerSecond, 'f', -1, 64) + " Gb/s"
			}
			fmt.Fprintf(table, "%s\tport %d %s\t%s\t%s\t%s\t%s\tNUMA %s\tCPUs %s\n", name, port.Number, port.State,
				told(port.LinkLayer), told(rate), told(strings.Join(nic.NetDevices, ",")), told(string(nic.PCI)), nodeText(nic.NUMA), told(nic.CPUs))
		}
		if len(nic.Ports) == 0 {
			fmt.Fprintf(table, "  NIC%d: %s\tno port\n", i, nic.Name)
		}
	}
	table.Flush()
}

func (t *Topology) writeAssignment(text *bytes.Buffer, nicsPerGPU int) {
	if len(t.GPUs) == 0 || len(t.NICs) == 0 {
		return
	}
	text.WriteString("\nUCX_NET_DEVICES:\n\n")
	for gpu, nics := range t.Assign(nicsPerGPU) {
		fmt.Fprintf(text, "  GPU%d: %s\n", gpu, told(t.NetDevices(nics)))
	}
}

// JSON returns all that is known, and which NICs each GPU should use.
func (t *Topology) JSON(nicsPerGPU int) ([]byte, error) {
	type gpu struct {
		GPU
		UCXNetDevices string `json:"ucx_net_devices"`
	}
	gpus := []gpu{}
	for i, nics := range t.Assign(nicsPerGPU) {
		gpus = append(gpus, gpu{GPU: t.GPUs[i], UCXNetDevices: t.NetDevices(nics)})
	}
	text, err := json.MarshalIndent(struct {
		GPUs   []gpu  `json:"gpus"`
		NICs   []NIC  `json:"nics"`
		Matrix Matrix `json:"matrix"`
	}{gpus, append([]NIC{}, t.NICs...), t.Matrix()}, "", "  ")
	return append(text, '\n'), err
}

func newTable(text *bytes.Buffer) *tabwriter.Writer {
	return tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
}

func nodeText(node *int) string {
	if node == nil {
		return told("")
	}
	return strconv.Itoa(*node)
}

// told is what stands for a fact that the machine does not tell.
func told(fact string) string {
	if fact == "" {
		return Unknown.String()
	}
	return fact
}

func withoutTrailingSpace(text string) string {
	var trimmed strings.Builder
	for line := range strings.Lines(text) {
		trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return trimmed.String()
}
