package nvml

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file reads what a GPU's speed depends on: clocks, why they are lowered, temperature, memory
// errors and links. What the driver does not tell is absent; nothing here ends a run.

// A Gauge reads one GPU. A nil Gauge reads nothing.
type Gauge struct {
	device  device
	library interface{ Shutdown() nvml.Return }
	// seen is when the last state was read; zero before.
	seen time.Time
}

// A device is what is used of the library's.
type device interface {
	GetClockInfo(nvml.ClockType) (uint32, nvml.Return)
	GetCurrentClocksThrottleReasons() (uint64, nvml.Return)
	GetViolationStatus(nvml.PerfPolicyType) (nvml.ViolationTime, nvml.Return)
	GetTemperature(nvml.TemperatureSensors) (uint32, nvml.Return)
	GetTotalEccErrors(nvml.MemoryErrorType, nvml.EccCounterType) (uint64, nvml.Return)
	GetNvLinkState(int) (nvml.EnableState, nvml.Return)
	GetFieldValues([]nvml.FieldValue) nvml.Return
	GetComputeRunningProcesses() ([]nvml.ProcessInfo, nvml.Return)
	GetProcessUtilization(since uint64) ([]nvml.ProcessUtilizationSample, nvml.Return)
}

// Open finds the GPU with a uuid. It returns nil where there is no library or no such GPU.
func Open(uuid string) *Gauge { return openOf(libraryName, uuid) }

func openOf(path, uuid string) *Gauge {
	if bind(path) != nil {
		return nil
	}
	library := nvml.New(nvml.WithLibraryPath(path))
	if library.Init() != nvml.SUCCESS {
		return nil
	}
	found, result := library.DeviceGetHandleByUUID(uuid)
	if result != nvml.SUCCESS {
		library.Shutdown()
		return nil
	}
	return &Gauge{device: found, library: library}
}

// Close lets go of the library.
func (g *Gauge) Close() {
	if g != nil {
		g.library.Shutdown()
	}
}

// State returns what the GPU tells now; nil of a nil Gauge. It takes some milliseconds.
func (g *Gauge) State() *epperfv1.GpuState {
	if g == nil {
		return nil
	}
	d := g.device
	state := &epperfv1.GpuState{
		SmClockMhz:      told(d.GetClockInfo(nvml.CLOCK_SM)),
		MemoryClockMhz:  told(d.GetClockInfo(nvml.CLOCK_MEM)),
		ThrottleReasons: told(d.GetCurrentClocksThrottleReasons()),
		TemperatureC:    told(d.GetTemperature(nvml.TEMPERATURE_GPU)),
		CorrectedErrors: told(d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC)),
		UncorrectedErrors: told(
			d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC)),
	}
	if power := told(d.GetViolationStatus(nvml.PERF_POLICY_POWER)); power != nil {
		state.PowerThrottledNs = &power.ViolationTime
	}
	if thermal := told(d.GetViolationStatus(nvml.PERF_POLICY_THERMAL)); thermal != nil {
		state.ThermalThrottledNs = &thermal.ViolationTime
	}
	state.Processes = g.processes()
	for link := range nvml.NVLINK_MAX_LINKS {
		if enabled := told(d.GetNvLinkState(link)); enabled != nil {
			state.Nvlinks = append(state.Nvlinks, g.link(link, *enabled == nvml.FEATURE_ENABLED))
		}
	}
	return state
}

// processes returns those that have memory on the GPU, and what they used of it since it was asked last.
func (g *Gauge) processes() []*epperfv1.GpuProcess {
	since := g.seen
	g.seen = time.Now()
	listed, result := g.device.GetComputeRunningProcesses()
	if result != nvml.SUCCESS {
		return nil
	}
	most := map[uint32]uint32{} // percent of the multiprocessors' time, by process
	if !since.IsZero() {
		samples, _ := g.device.GetProcessUtilization(uint64(since.UnixMicro()))
		for _, sample := range samples {
			most[sample.Pid] = max(most[sample.Pid], sample.SmUtil)
		}
	}
	isOwn := func(of nvml.ProcessInfo) bool { return int(of.Pid) == os.Getpid() }
	ours := slices.ContainsFunc(listed, isOwn) // else they are numbers of another namespace
	var processes []*epperfv1.GpuProcess
	for _, of := range listed {
		process := &epperfv1.GpuProcess{Pid: of.Pid, Own: isOwn(of)}
		if ours {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", of.Pid)) // gone: none
			process.Name = strings.TrimSpace(string(name))
		}
		if percent, used := most[of.Pid]; used {
			process.SmPercent = &percent
		}
		processes = append(processes, process)
	}
	return processes
}

// link reads the counters of one NVLink.
func (g *Gauge) link(number int, active bool) *epperfv1.NvlinkState {
	link := &epperfv1.NvlinkState{Link: uint32(number), Active: active}
	fields := []nvml.FieldValue{
		{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, ScopeId: uint32(number)},
		{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, ScopeId: uint32(number)},
	}
	if active && g.device.GetFieldValues(fields) == nvml.SUCCESS {
		link.SentKib, link.ReceivedKib = counter(fields[0]), counter(fields[1])
	}
	return link
}

// counter returns a field's number; nil where the GPU does not have it.
func counter(field nvml.FieldValue) *uint64 {
	if nvml.Return(field.NvmlReturn) != nvml.SUCCESS || nvml.ValueType(field.ValueType) != nvml.VALUE_TYPE_UNSIGNED_LONG_LONG {
		return nil
	}
	value := binary.NativeEndian.Uint64(field.Value[:])
	return &value
}

// told returns nil for what the library does not tell.
func told[V any](value V, result nvml.Return) *V {
	if result != nvml.SUCCESS {
		return nil
	}
	return &value
}
