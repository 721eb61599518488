package epperfv1

import (
	"cmp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// This file has what a case may be asked for besides its size. Whoever says nothing has asked for the
// first value of an enum, which a plan leaves out: so it is the same as before there was a choice.

// LayoutOf returns where a case's received rows lie.
func LayoutOf(c *Case) Layout { return cmp.Or(c.GetLayout(), Layout_LAYOUT_EXPERT) }

// CombineSumOf returns where a case's selections are summed.
func CombineSumOf(c *Case) CombineSum { return cmp.Or(c.GetCombine(), CombineSum_COMBINE_SUM_RANK) }

// QuantizeOf returns where a case's rows become FP8.
func QuantizeOf(c *Case) Quantize { return cmp.Or(c.GetQuantize(), Quantize_QUANTIZE_INSIDE) }

// NicMemoryOf returns where a plan's messages to peers that are not mapped come from and go to.
func NicMemoryOf(p *Plan) NicMemory {
	return cmp.Or(p.GetNicMemory(), NicMemory_NIC_MEMORY_AUTO)
}

// GpuFlushOf returns when a plan's GPUs are told to show what NICs have written.
func GpuFlushOf(p *Plan) GpuFlush { return cmp.Or(p.GetGpuFlush(), GpuFlush_GPU_FLUSH_AUTO) }

// BindOf returns where a plan's ranks run.
func BindOf(p *Plan) Bind { return cmp.Or(p.GetBind(), Bind_BIND_NUMA) }

// FansOut reports whether a layout has a row for each selection; else each row is kept once.
func FansOut(layout Layout) bool {
	return layout == Layout_LAYOUT_EXPERT || layout == Layout_LAYOUT_CONTIG
}

// A Choice is one of a case's.
type Choice struct {
	// Name is the field's, which is the flag's.
	Name string
	// Value is as on the command line.
	Value string
	// Number is the value of what is counted; nil of an enum.
	Number *uint64
	// Usual: it is what a case has that says nothing.
	Usual bool
	// Told: the case's name and plan say it, as it is not the usual, or belongs with one that is not: two
	// layouts, or two ways to combine, never look alike. A routing has a line of its own.
	Told bool
}

// notChosen are the fields of Case that are no choices: they are part of every case, or have words of
// their own. All others are, also those that are still to come.
var notChosen = map[protoreflect.Name]bool{
	"mode": true, "ranks": true, "tokens_of_rank": true, "hidden": true, "experts_per_rank": true, "topk": true, "dtype": true,
	"routing": true, "seed": true, "warmup": true, "soak": true, "passes": true, "phase": true,
}

// Choices returns a case's: enums in the order of their fields, the routing, then numbers.
func (c *Case) Choices() []Choice {
	routing := Choice{Name: "routing", Value: Name(Routing_KIND_UNIFORM), Usual: true}
	if kind := c.GetRouting().GetKind(); kind != Routing_KIND_UNSPECIFIED && kind != Routing_KIND_UNIFORM {
		routing = Choice{Name: "routing", Value: RoutingName(c.GetRouting())}
	}
	belong := LayoutOf(c) != Layout_LAYOUT_EXPERT || CombineSumOf(c) != CombineSum_COMBINE_SUM_RANK
	var enums, numbers []Choice
	of := c.ProtoReflect()
	fields := of.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := string(field.Name())
		switch enum := field.Enum(); {
		case notChosen[field.Name()]:
		case enum != nil:
			value := cmp.Or(of.Get(field).Enum(), 1)
			told := value != 1 || belong && (name == "layout" || name == "combine")
			enums = append(enums, Choice{Name: name, Value: nameOf(enum, value), Usual: value == 1, Told: told})
		default:
			number := of.Get(field).Uint()
			numbers = append(numbers, Choice{Name: name, Value: strconv.FormatUint(number, 10), Number: &number, Usual: number == 0, Told: number > 0})
		}
	}
	return slices.Concat(enums, []Choice{routing}, numbers)
}
