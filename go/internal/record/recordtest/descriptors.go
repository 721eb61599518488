package recordtest

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Descriptors returns what protoc --include_imports --descriptor_set_out writes of record.proto.
func Descriptors(t testing.TB) []byte {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i))
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	add((&epperfv1.Entry{}).ProtoReflect().Descriptor().ParentFile())
	content, err := proto.Marshal(&set)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
