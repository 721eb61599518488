"""Device code compiled by NVRTC, on any machine: no GPU, no installed CUDA."""

# Without contraction the arithmetic has the same bits as on a CPU; what is to be fused says so.
_OPTIONS = ["--std=c++20", "-default-device", "-fmad=false", "-I."]

# What compile_device needs of the rule that calls it.
NVRTC_ATTRS = {
    "_compiler": attr.label(default = "//third_party/cuda:nvrtc", cfg = "exec", executable = True),
    "_headers": attr.label(default = "@cuda//:device_headers", cfg = "exec"),
    "_library": attr.label(default = "@cuda//:nvrtc", cfg = "exec"),
}

def compile_device(ctx, src, hdrs, arch, defines = []):
    """Declares the compilation of one file of device code.

    Args:
      ctx: the context of a rule whose attributes include NVRTC_ATTRS.
      src: the File to compile.
      hdrs: the Files that it includes, by paths from the repository's root.
      arch: sm_N for a cubin, compute_N for PTX.
      defines: macros, as NAME or NAME=VALUE.

    Returns:
      The File of the compiled image.
    """
    library = [file for file in ctx.files._library if file.basename.startswith("libnvrtc.so")][0]
    include = library.dirname.removesuffix("lib") + "include"
    image = ctx.actions.declare_file("%s.%s.%s" % (
        ctx.label.name,
        arch,
        "cubin" if arch.startswith("sm_") else "ptx",
    ))
    args = ctx.actions.args()
    args.add_all([library, src, image, "-arch=" + arch] + _OPTIONS)
    args.add_all([include, include + "/cccl"], format_each = "-I%s")
    args.add_all(defines, format_each = "-D%s")
    ctx.actions.run(
        executable = ctx.executable._compiler,
        arguments = [args],
        inputs = depset([src] + hdrs, transitive = [ctx.attr._headers.files, ctx.attr._library.files]),
        outputs = [image],
        # NVRTC opens its second library by name.
        env = {"LD_LIBRARY_PATH": library.dirname},
        mnemonic = "CudaDevice",
        progress_message = "Compiling %{label} for " + arch,
    )
    return image
