"""Tests of what device code became: resources and instructions, on any machine."""

load(":image.bzl", "CudaImageInfo")

_ATTRS = {
    "image": attr.label(mandatory = True, providers = [CudaImageInfo]),
    "_cuobjdump": attr.label(default = "@cuda_disasm//:cuobjdump", allow_single_file = True),
    "_nvdisasm": attr.label(default = "@cuda_disasm//:nvdisasm", allow_single_file = True),
}

def _check(ctx, lines):
    """Returns a test that gives the lines and all cubins of the image to the rule's script."""
    cubins = ctx.attr.image[CudaImageInfo].cubins
    wanted = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(wanted, "\n".join(lines) + "\n")
    test = ctx.actions.declare_file(ctx.label.name + ".sh")
    words = [ctx.file._script.short_path, ctx.file._cuobjdump.short_path, wanted.short_path]
    words += ["%s=%s" % (arch, file.short_path) for arch, file in cubins.items()]
    ctx.actions.write(test, "#!/bin/sh\nexec '%s'\n" % "' '".join(words), is_executable = True)
    tools = [ctx.file._script, ctx.file._cuobjdump, ctx.file._nvdisasm]
    return [DefaultInfo(
        executable = test,
        runfiles = ctx.runfiles([wanted] + tools + cubins.values()),
    )]

def _budget(kernel, text):
    limits = dict([word.split("=") for word in text.split(" ")])
    registers, shared = limits.pop("registers", None), limits.pop("shared", "0")
    if not registers or limits:
        fail("budget of %s: '%s' is not 'registers=N' or 'registers=N shared=BYTES'" % (kernel, text))
    return "%s %s %s" % (kernel, registers, shared)

def _cuda_resources_test_impl(ctx):
    return _check(ctx, [_budget(kernel, text) for kernel, text in ctx.attr.budgets.items()])

cuda_resources_test = rule(
    doc = """Passes if every kernel of a cuda_image keeps to its budget and nothing spills.

A kernel without a budget fails, as does one with a stack or local memory, on any sm_N of the
image. Shared memory is what is declared statically, plus the 1,024 bytes a block that CUDA
reserves from sm_90 on where a kernel uses any.

    cuda_resources_test(
        name = "resources_test",
        budgets = {"Dispatch": "registers=64 shared=2048"},
        image = ":kernels",
    )
""",
    implementation = _cuda_resources_test_impl,
    attrs = _ATTRS | {
        "budgets": attr.string_dict(
            doc = "Kernel to 'registers=N shared=BYTES'; without `shared` it may use none.",
            mandatory = True,
        ),
        "_script": attr.label(default = ":resources.sh", allow_single_file = True),
    },
    test = True,
)

def _cuda_sass_test_impl(ctx):
    return _check(ctx, [
        "%s %s" % (kernel, pattern)
        for kernel, patterns in ctx.attr.expects.items()
        for pattern in patterns
    ])

cuda_sass_test = rule(
    doc = """Passes if kernels of a cuda_image became the instructions that were meant.

On every sm_N of the image, `LDG.E.128` wants an instruction of that name or one that goes on
with a point, as LDG.E.128.CONSTANT does; * stands for any characters; `!FFMA` wants none.

    cuda_sass_test(
        name = "sass_test",
        expects = {"Dispatch": ["LDG.E.128", "ST.E.128"]},
        image = ":kernels",
    )
""",
    implementation = _cuda_sass_test_impl,
    attrs = _ATTRS | {
        "expects": attr.string_list_dict(doc = "Kernel to patterns.", mandatory = True),
        "_script": attr.label(default = ":sass.sh", allow_single_file = True),
    },
    test = True,
)
