"""The protocol buffer compiler as a toolchain, so that no build compiles one from source.

Note: protobuf's own proto_toolchain rule would do, but the module that stands in for
protobuf where its release cannot be had (tools/bootstrap) does not carry it.
"""

load("@protobuf//bazel/common:proto_lang_toolchain_info.bzl", "ProtoLangToolchainInfo")

def _protoc_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(proto = ProtoLangToolchainInfo(
        allowlist_different_package = None,
        mnemonic = "GenProtoDescriptorSet",
        out_replacement_format_flag = "--descriptor_set_out=%s",
        output_files = "single",
        plugin = None,
        progress_message = "Generating Descriptor Set proto_library %{label}",
        proto_compiler = ctx.attr.protoc.files_to_run,
        protoc_opts = ctx.fragments.proto.experimental_protoc_opts,
        runtime = None,
        toolchain_type = "@rules_proto//proto:toolchain_type",
    ))]

protoc_toolchain = rule(
    implementation = _protoc_toolchain_impl,
    attrs = {
        "protoc": attr.label(allow_files = True, cfg = "exec", executable = True, mandatory = True),
    },
    fragments = ["proto"],
)
