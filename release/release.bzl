"""A release: what //release/pack makes of programs, documents and licences."""

load("@rules_go//go:def.bzl", "GoArchive")
load(":libraries.bzl", "CLibrariesInfo")

def _imports(ctx, program):
    """Returns a file with the import path of each package that a Go program has linked in."""
    out = ctx.actions.declare_file("%s/%s.imports" % (ctx.label.name, program.label.name))
    words = ctx.actions.args()
    words.set_param_file_format("multiline")
    words.add_all(program[GoArchive].transitive, map_each = _importpath)
    ctx.actions.write(out, words)
    return out

def _importpath(archive):
    return archive.importpath

def _below(file, folder):
    """Returns the path of a file from the last folder of that name on, without it."""
    return file.path.rpartition("/" + folder + "/")[2]

def _files(ctx):
    """Returns what the archive holds, but for licences of Go modules."""
    files = []
    for program in ctx.attr.programs:
        files.append((program[DefaultInfo].files_to_run.executable, "bin/" + program.label.name, True))
    for target, path in ctx.attr.files.items():
        for file in target[DefaultInfo].files.to_list():
            name = path + file.basename if path.endswith("/") else path
            files.append((file, name, file.basename.startswith("fetch_")))
    for target in ctx.attr.linked:
        for file in target[DefaultInfo].files.to_list():
            if file.basename != "METADATA":
                files.append((file, "licences/" + _below(file, "dist-info"), False))
    return files

def _metadata(targets):
    return [
        file
        for target in targets
        for file in target[DefaultInfo].files.to_list()
        if file.basename == "METADATA"
    ]

def _release_impl(ctx):
    imports = {program.label.name: _imports(ctx, program) for program in ctx.attr.programs}
    files = _files(ctx)
    stem = "%s-%s-linux-amd64" % (ctx.attr.product, ctx.attr.version)
    outputs = {
        "Archive": ctx.actions.declare_file(stem + ".tar.gz"),
        "Image": ctx.actions.declare_file(stem + ".oci.tar"),
        "CycloneDX": ctx.actions.declare_file(stem + ".cdx.json"),
        "Provenance": ctx.actions.declare_file(stem + ".intoto.json"),
        "SPDX": ctx.actions.declare_file(stem + ".spdx.json"),
        "Sums": ctx.actions.declare_file("SHA256SUMS"),
    }
    status = [ctx.info_file] if ctx.var.get("EPPERF_STAMP") == "1" else []
    c = ctx.attr.c_libraries[CLibrariesInfo]
    linked, built = _metadata(ctx.attr.linked), _metadata(ctx.attr.built)
    spec = ctx.actions.declare_file(ctx.label.name + "/spec.json")
    ctx.actions.write(spec, json.encode({
        "GoMod": ctx.file.go_mod.path,
        "GoSum": ctx.file.go_sum.path,
        "ModuleBazel": ctx.file.module_bazel.path,
        "built": [file.path for file in built],
        "copyrights": [{"path": file.basename, "source": file.path} for file in c.copyrights],
        "files": [{"executable": program, "path": path, "source": file.path} for file, path, program in files],
        "imports": {program: file.path for program, file in imports.items()},
        "licences": [
            {"path": "go/" + file.path.partition("/go/")[2], "source": file.path}
            for file in ctx.files.go_licences
        ],
        "libraries": [{"path": file.basename, "source": file.path} for file in c.libraries],
        "linked": [file.path for file in linked],
        "name": ctx.attr.product,
        "requirements": [file.path for file in ctx.files.requirements],
        "status": status[0].path if status else "",
        "version": ctx.attr.version,
        "versions": c.versions.path,
    } | {name: file.path for name, file in outputs.items()}))
    ctx.actions.run(
        executable = ctx.executable.pack,
        arguments = [spec.path],
        inputs = [spec, ctx.file.go_mod, ctx.file.go_sum, ctx.file.module_bazel] + [file for file, _, _ in files] +
                 c.copyrights + c.libraries + [c.versions] + linked + built + status + imports.values() + ctx.files.go_licences + ctx.files.requirements,
        outputs = outputs.values(),
        mnemonic = "Release",
        progress_message = "Packing %{label}",
    )
    return [DefaultInfo(files = depset(outputs.values()))]

release = rule(
    implementation = _release_impl,
    attrs = {
        "built": attr.label_list(doc = "What wheels that build say of themselves."),
        "c_libraries": attr.label(doc = "What an image has below the programs.", mandatory = True, providers = [CLibrariesInfo]),
        "files": attr.label_keyed_string_dict(allow_files = True, doc = "Where each goes; below a folder if that ends with /."),
        "go_licences": attr.label(mandatory = True),
        "go_mod": attr.label(allow_single_file = True, mandatory = True),
        "go_sum": attr.label(allow_single_file = True, mandatory = True),
        "linked": attr.label_list(doc = "What wheels of which something is linked in say of themselves, licences too."),
        "module_bazel": attr.label(allow_single_file = True, mandatory = True),
        # Note: not of the configuration for tools, for which Go's library would be compiled once more; whoever
        # builds for Linux on x86-64 does so on it.
        "pack": attr.label(cfg = "target", executable = True, mandatory = True),
        "product": attr.string(mandatory = True),
        "programs": attr.label_list(doc = "go_binary rules.", mandatory = True, providers = [GoArchive]),
        "requirements": attr.label_list(allow_files = True, doc = "With the wheels' hashes."),
        "version": attr.string(mandatory = True),
    },
)
