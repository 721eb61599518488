"""What rules for a language compile protos with, built into Bazel 7."""

proto_common = proto_common_do_not_use
