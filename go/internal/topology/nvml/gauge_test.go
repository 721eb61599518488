package nvml

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A fake is a GPU with two links, the second of them down.
type fake struct {
	silent    bool
	processes []nvml.ProcessInfo
}

func (f fake) result() nvml.Return {
	if f.silent {
		return nvml.ERROR_NOT_SUPPORTED
	}
	return nvml.SUCCESS
}

func (f fake) GetClockInfo(clock nvml.ClockType) (uint32, nvml.Return) {
	return map[nvml.ClockType]uint32{nvml.CLOCK_SM: 1980, nvml.CLOCK_MEM: 3201}[clock], f.result()
}

func (f fake) GetCurrentClocksThrottleReasons() (uint64, nvml.Return) { return 4, f.result() }

func (f fake) GetViolationStatus(policy nvml.PerfPolicyType) (nvml.ViolationTime, nvml.Return) {
	return nvml.ViolationTime{ReferenceTime: 9, ViolationTime: 1000 + uint64(policy)}, f.result()
}

func (f fake) GetTemperature(nvml.TemperatureSensors) (uint32, nvml.Return) { return 41, f.result() }

func (f fake) GetTotalEccErrors(kind nvml.MemoryErrorType, _ nvml.EccCounterType) (uint64, nvml.Return) {
	return 5 * uint64(kind), f.result()
}

func (f fake) GetNvLinkState(link int) (nvml.EnableState, nvml.Return) {
	if link > 1 {
		return 0, nvml.ERROR_INVALID_ARGUMENT
	}
	return nvml.EnableState(1 - link), f.result()
}

func (f fake) GetFieldValues(fields []nvml.FieldValue) nvml.Return {
	for i := range fields {
		fields[i].ValueType = uint32(nvml.VALUE_TYPE_UNSIGNED_LONG_LONG)
		binary.NativeEndian.PutUint64(fields[i].Value[:], uint64(fields[i].FieldId)<<33)
	}
	fields[1].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
	return f.result()
}

func (f fake) GetComputeRunningProcesses() ([]nvml.ProcessInfo, nvml.Return) {
	return f.processes, f.result()
}

func (f fake) GetProcessUtilization(uint64) ([]nvml.ProcessUtilizationSample, nvml.Return) {
	return []nvml.ProcessUtilizationSample{{Pid: 1, SmUtil: 30}, {Pid: 1, SmUtil: 57}, {Pid: 1, SmUtil: 40}}, f.result()
}

func (f fake) Shutdown() nvml.Return { return nvml.SUCCESS }

func TestAStateIsWhatTheGPUTells(t *testing.T) {
	for name, test := range map[string]struct {
		gpu  fake
		want *epperfv1.GpuState
	}{
		"all": {fake{}, &epperfv1.GpuState{
			SmClockMhz: new(uint32(1980)), MemoryClockMhz: new(uint32(3201)), ThrottleReasons: new(uint64(4)),
			TemperatureC: new(uint32(41)), CorrectedErrors: new(uint64(0)), UncorrectedErrors: new(uint64(5)),
			PowerThrottledNs: new(uint64(1000)), ThermalThrottledNs: new(uint64(1001)),
			Nvlinks: []*epperfv1.NvlinkState{{Link: 0, Active: true, SentKib: new(uint64(138 << 33))}, {Link: 1}},
		}},
		"nothing": {fake{silent: true}, &epperfv1.GpuState{}},
	} {
		t.Run(name, func(t *testing.T) {
			gauge := &Gauge{device: test.gpu, library: test.gpu}
			defer gauge.Close()
			if diff := cmp.Diff(test.want, gauge.State(), protocmp.Transform()); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProcessesOnAGPUAreNamedWhereTheyAreOfThisNamespace(t *testing.T) {
	init, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		t.Skip("skipped: this machine hides its first process")
	}
	own, first := uint32(os.Getpid()), strings.TrimSpace(string(init))
	for name, test := range map[string]struct {
		listed []nvml.ProcessInfo
		want   []*epperfv1.GpuProcess // of a second state
	}{
		"this one's": {
			[]nvml.ProcessInfo{{Pid: 1}, {Pid: own}},
			[]*epperfv1.GpuProcess{{Pid: 1, Name: first, SmPercent: new(uint32(57))}, {Pid: own, Own: true, Name: ownName(t)}},
		},
		"another's": {[]nvml.ProcessInfo{{Pid: 1}}, []*epperfv1.GpuProcess{{Pid: 1, SmPercent: new(uint32(57))}}},
		"none":      {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			gpu := fake{processes: test.listed}
			gauge := &Gauge{device: gpu, library: gpu}
			for _, process := range gauge.State().GetProcesses() {
				if process.SmPercent != nil {
					t.Errorf("a first state says what was used since: %v", process)
				}
			}
			if diff := cmp.Diff(test.want, gauge.State().GetProcesses(), protocmp.Transform()); diff != "" {
				t.Errorf("processes (-want +got):\n%s", diff)
			}
		})
	}
}

func ownName(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}

// Whether this machine has the library or not: a GPU that is not there is none.
func TestWithoutAGPUThereIsNothing(t *testing.T) {
	gauge := Open("GPU-00000000-0000-0000-0000-000000000000")
	if gauge != nil {
		t.Fatal("a GPU that cannot be was found")
	}
	if state := gauge.State(); state != nil {
		t.Errorf("its state is %v", state)
	}
	gauge.Close()
}
