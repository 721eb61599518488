"""proto_library, built into Bazel 7."""

proto_library = native.proto_library
