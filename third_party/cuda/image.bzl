"""Device code as data: compiled for several architectures, joined, and linked into a program."""

load("@rules_cc//cc:find_cc_toolchain.bzl", "find_cc_toolchain", "use_cc_toolchain")
load("@rules_cc//cc/common:cc_common.bzl", "cc_common")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")
load(":nvrtc.bzl", "NVRTC_ATTRS", "compile_device")

CudaImageInfo = provider(
    doc = "What a cuda_image is made of.",
    fields = {"cubins": "dict of sm_N to the File of that architecture's machine code"},
)

_HEADER = """// The device code of {label}: see //third_party/cuda:image.bzl.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {{
#endif
extern const unsigned char {name}_begin[];
extern const uint64_t {name}_bytes;
#ifdef __cplusplus
}}
#endif
"""

# The driver reads the image's header in words of 8 bytes.
_ASSEMBLY = """    .section .rodata
    .balign 16
    .globl {name}_begin
    .type {name}_begin, %object
{name}_begin:
    .incbin "{path}"
.Lend:
    .size {name}_begin, .Lend - {name}_begin
    .balign 8
    .globl {name}_bytes
    .type {name}_bytes, %object
    .size {name}_bytes, 8
{name}_bytes:
    .quad .Lend - {name}_begin
    .section .note.GNU-stack, "", %progbits
"""

def _join(ctx, images):
    fatbin = ctx.actions.declare_file(ctx.label.name + ".fatbin")
    args = ctx.actions.args()
    args.add("-64")
    args.add(fatbin, format = "--create=%s")
    for arch, image in images.items():
        kind = "elf" if arch.startswith("sm_") else "ptx"
        args.add(image, format = "--image3=kind=%s,sm=%s,file=%%s" % (kind, arch.split("_")[1]))
    ctx.actions.run(
        executable = ctx.executable._fatbinary,
        arguments = [args],
        inputs = images.values(),
        outputs = [fatbin],
        mnemonic = "CudaFatbin",
    )
    return fatbin

def _link(ctx, header, assembly, fatbin):
    toolchain = find_cc_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    compiled, outputs = cc_common.compile(
        name = ctx.label.name,
        actions = ctx.actions,
        cc_toolchain = toolchain,
        feature_configuration = features,
        srcs = [assembly],
        public_hdrs = [header],
        additional_inputs = [fatbin],
    )
    linked, _ = cc_common.create_linking_context_from_compilation_outputs(
        name = ctx.label.name,
        actions = ctx.actions,
        cc_toolchain = toolchain,
        feature_configuration = features,
        compilation_outputs = outputs,
        disallow_dynamic_library = True,
    )
    return CcInfo(compilation_context = compiled, linking_context = linked)

def _cuda_image_impl(ctx):
    name = ctx.label.name
    hdrs = depset(ctx.files.hdrs, transitive = [
        dep[CcInfo].compilation_context.headers
        for dep in ctx.attr.deps
    ]).to_list()
    images = {
        arch: compile_device(ctx, ctx.file.src, hdrs, arch, ctx.attr.defines)
        for arch in ctx.attr.architectures
    }
    fatbin = _join(ctx, images)
    header = ctx.actions.declare_file(name + "_image.h")
    ctx.actions.write(header, _HEADER.format(label = ctx.label, name = name))
    assembly = ctx.actions.declare_file(name + "_image.s")
    ctx.actions.write(assembly, _ASSEMBLY.format(name = name, path = fatbin.path))
    architectures = ctx.actions.declare_file(name + "_architectures.txt")
    ctx.actions.write(architectures, "\n".join(ctx.attr.architectures) + "\n")
    return [
        DefaultInfo(files = depset([fatbin])),
        CudaImageInfo(cubins = {arch: file for arch, file in images.items() if arch.startswith("sm_")}),
        OutputGroupInfo(architectures = depset([architectures]), **{arch: depset([file]) for arch, file in images.items()}),
        _link(ctx, header, assembly, fatbin),
    ]

cuda_image = rule(
    doc = """A C++ library that holds the compiled device code of `src`, for cudaLibraryLoadData.

Its header is <package>/<name>_image.h and declares

    extern "C" const unsigned char <name>_begin[];
    extern "C" const uint64_t <name>_bytes;

The image does not depend on the host's compiler or on its options. Kernels are found in it
by name, so they are extern "C".

    cuda_image(
        name = "kernels",
        src = "kernels.cu",
        hdrs = ["ptx.cuh"],
        deps = ["//csrc/protocol"],
    )
""",
    implementation = _cuda_image_impl,
    attrs = NVRTC_ATTRS | {
        "architectures": attr.string_list(
            default = ["sm_90a", "sm_100a", "compute_90"],
            doc = "sm_N gives machine code for that GPU alone, compute_N PTX, which the driver " +
                  "compiles for GPUs that are not named.",
        ),
        "defines": attr.string_list(doc = "Macros of the device code, as NAME or NAME=VALUE."),
        "deps": attr.label_list(
            doc = "Libraries whose headers `src` includes; nothing of them is linked.",
            providers = [CcInfo],
        ),
        "hdrs": attr.label_list(
            allow_files = [".h", ".cuh"],
            doc = "What `src` includes, directly or not, by paths from the repository's root.",
        ),
        "src": attr.label(allow_single_file = [".cu"], mandatory = True),
        "_fatbinary": attr.label(
            default = "@cuda//:fatbinary",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
    fragments = ["cpp"],
    provides = [CcInfo, CudaImageInfo],
    toolchains = use_cc_toolchain(),
)
