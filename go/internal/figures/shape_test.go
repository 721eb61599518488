package figures_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/epperf/epperf/go/internal/figures"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Whatever a case is asked for has a name of its own, also what is added to Case without a thought of names.
func TestNamesTellChoicesApart(t *testing.T) {
	usual := &epperfv1.Case{Mode: epperfv1.Mode_MODE_E2E, TokensOfRank: []uint32{1}}
	names := map[string]string{figures.ShapeOf(usual).Name(): "the usual"}
	fields := usual.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		c := proto.CloneOf(usual)
		switch {
		case field.Name() == "mode" || field.IsList() || field.Kind() == protoreflect.MessageKind:
			continue
		case field.Name() == "seed" || field.Name() == "warmup":
			continue // of which a comparison tells
		case field.Kind() == protoreflect.EnumKind:
			c.ProtoReflect().Set(field, protoreflect.ValueOfEnum(2))
		default:
			c.ProtoReflect().Set(field, protoreflect.ValueOfUint32(3))
		}
		name := figures.ShapeOf(c).Name()
		if other, taken := names[name]; taken {
			t.Errorf("%s and another %s are both named %s", other, field.Name(), name)
		}
		names[name] = string(field.Name())
	}
	if len(names) < 9 {
		t.Errorf("only %d names: %v", len(names), names)
	}
}

func TestInOrderPutsLaddersOfTokensTogether(t *testing.T) {
	var cases []*epperfv1.Case
	for _, of := range []struct {
		dtype  epperfv1.Dtype
		tokens uint32
	}{
		{epperfv1.Dtype_DTYPE_FP8, 1024},
		{epperfv1.Dtype_DTYPE_BF16, 8},
		{epperfv1.Dtype_DTYPE_FP8, 8},
		{epperfv1.Dtype_DTYPE_FP8, 128},
		{epperfv1.Dtype_DTYPE_FP8, 8},
	} {
		cases = append(cases, &epperfv1.Case{Dtype: of.dtype, TokensOfRank: []uint32{of.tokens, 1}})
	}
	if got, want := figures.InOrder(cases), []int{1, 2, 4, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("InOrder: %v, want %v", got, want)
	}
}
