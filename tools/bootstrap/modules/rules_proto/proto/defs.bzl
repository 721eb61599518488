"""The rule and the provider of protobuf, under the names of rules_proto."""

load("@com_google_protobuf//bazel:proto_library.bzl", _proto_library = "proto_library")
load("@com_google_protobuf//bazel/common:proto_info.bzl", _ProtoInfo = "ProtoInfo")

ProtoInfo = _ProtoInfo
proto_library = _proto_library
