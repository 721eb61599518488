"""The provider of proto_library, built into Bazel 7."""

load("//bazel/private:native_info.bzl", "NATIVE_PROTO_INFO")

ProtoInfo = NATIVE_PROTO_INFO
