// Package epperfv1 holds the messages of version 1. This file gives their enum values the names
// that people type and read: e2e for MODE_E2E. The protos are the one list of them.
package epperfv1

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Name returns the value's name in small letters without the enum's prefix. One that the enum does
// not know, as a newer version may write, is called by its number.
func Name(value protoreflect.Enum) string { return nameOf(value.Descriptor(), value.Number()) }

func nameOf(enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) string {
	if known := enum.Values().ByNumber(number); known != nil {
		return shortName(known)
	}
	return strconv.Itoa(int(number))
}

// Known reports whether a value is neither unspecified nor a newer version's.
func Known(value protoreflect.Enum) bool {
	return value.Number() != 0 && value.Descriptor().Values().ByNumber(value.Number()) != nil
}

// Parse returns the value that Name calls text. The zero value has no name to parse.
func Parse[E interface {
	~int32
	protoreflect.Enum
}](text string) (value E, ok bool) {
	values := value.Descriptor().Values()
	for i := range values.Len() {
		if known := values.Get(i); known.Number() != 0 && shortName(known) == text {
			return E(known.Number()), true
		}
	}
	return value, false
}

// Names returns every name that Parse accepts, in the order of the enum's numbers.
func Names(enum protoreflect.Enum) []string {
	values := enum.Descriptor().Values()
	var names []string
	for i := range values.Len() {
		if known := values.Get(i); known.Number() != 0 {
			names = append(names, shortName(known))
		}
	}
	return names
}

// shortName leaves out what the names of an enum have in common; its zero value shows what.
func shortName(value protoreflect.EnumValueDescriptor) string {
	enum := value.Parent().(protoreflect.EnumDescriptor)
	prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
	name := strings.TrimPrefix(string(value.Name()), prefix)
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}
