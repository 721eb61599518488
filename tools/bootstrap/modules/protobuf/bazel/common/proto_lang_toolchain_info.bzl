"""The provider of protoc toolchains, built into Bazel 7."""

ProtoLangToolchainInfo = proto_common_do_not_use.ProtoLangToolchainInfo
