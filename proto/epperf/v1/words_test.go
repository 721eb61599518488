package epperfv1_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Words of the core and of the protos are one vocabulary: same names behind EP_, same numbers.
func TestTheCoreSpeaksTheProtosWords(t *testing.T) {
	header, err := os.ReadFile("../../../csrc/protocol/words.h")
	if err != nil {
		t.Fatal(err)
	}
	enums := regexp.MustCompile(`(?s)typedef enum (\w+) \{(.*?)\} \w+;`).FindAllStringSubmatch(string(header), -1)
	values := regexp.MustCompile(`(?m)^  EP_(\w+) = (\d+),`)
	got := map[string]map[string]int{}
	for _, enum := range enums {
		got[enum[1]] = map[string]int{}
		for _, value := range values.FindAllStringSubmatch(enum[2], -1) {
			number, err := strconv.Atoi(value[2])
			if err != nil {
				t.Fatal(err)
			}
			got[enum[1]][value[1]] = number
		}
	}
	want := map[string]map[string]int{}
	for name, of := range map[string]struct {
		enum   protoreflect.Enum
		prefix string // of an enum within a message, whose values do not say which
		zero   bool   // 0 means something
	}{
		"ep_device":         {enum: epperfv1.Device(0)},
		"ep_nvlink_backend": {enum: epperfv1.NvlinkBackend(0)},
		"ep_nic_memory":     {enum: epperfv1.NicMemory(0)},
		"ep_gpu_flush":      {enum: epperfv1.GpuFlush(0)},
		"ep_path":           {enum: epperfv1.Path(0)},
		"ep_dtype":          {enum: epperfv1.Dtype(0)},
		"ep_layout":         {enum: epperfv1.Layout(0)},
		"ep_combine_sum":    {enum: epperfv1.CombineSum(0)},
		"ep_quantize":       {enum: epperfv1.Quantize(0)},
		"ep_kernel":         {enum: epperfv1.Kernel(0)},
		"ep_mode":           {enum: epperfv1.Mode(0)},
		"ep_pass_kind":      {enum: epperfv1.Pass_Kind(0), prefix: "PASS_"},
		"ep_pass_direction": {enum: epperfv1.Pass_Direction(0), prefix: "PASS_"},
		"ep_pass_meter":     {enum: epperfv1.Pass_Meter(0), prefix: "PASS_"},
		"ep_wrong_row_kind": {enum: epperfv1.WrongRow_Kind(0), prefix: "WRONG_ROW_", zero: true},
	} {
		want[name] = map[string]int{}
		all := of.enum.Descriptor().Values()
		for i := range all.Len() {
			if value := all.Get(i); value.Number() != 0 || of.zero {
				want[name][of.prefix+string(value.Name())] = int(value.Number())
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words.h (-protos +core):\n%s", diff)
	}
	for name, values := range got {
		for value := range values {
			if !strings.HasPrefix("EP_"+value, strings.ToUpper(name)) {
				t.Errorf("%s of %s is named like another's", value, name)
			}
		}
	}
}
