"""Repositories made of hash-pinned Python wheels, fetched by the user's own pip.

No address is written here: pip's index, mirrors, proxies and certificates apply. Without
an index, --repo_env=EPPERF_WHEELS=DIR makes pip look into that folder only.
"""

# What pip obeys; a change fetches anew.
_ENVIRON = [
    "EPPERF_WHEELS",
    "PIP_CONFIG_FILE",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
]

_PIP_OPTIONS = [
    "--quiet",
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--disable-pip-version-check",
]

def _target(rctx):
    """Returns what makes pip take one wheel whichever Python runs it."""
    if not rctx.attr.python:
        return []
    return [
        "--implementation=cp",
        "--python-version=" + rctx.attr.python,
        "--abi=cp" + rctx.attr.python.replace(".", ""),
        "--platform=" + rctx.attr.platform,
    ]

def _unpacked_wheels_impl(rctx):
    requirements = rctx.path(rctx.attr.requirements)
    rctx.watch(requirements)
    python = rctx.which("python3")
    if not python:
        fail("@%s: fetching wheels needs python3 with pip on PATH" % rctx.name)
    download = [python, "-m", "pip", "download"] + _PIP_OPTIONS + _target(rctx) + ["-r", str(requirements)]
    folder = rctx.getenv("EPPERF_WHEELS")
    offline = ["--no-index", "--find-links=" + folder] if folder else []
    rctx.report_progress("pip download")
    result = rctx.execute(download + offline + ["-d", "wheels"], timeout = 1800)
    if "No module named pip" in result.stderr:
        fail("@%s: %s has no pip, which fetches wheels: install it (Debian: apt-get install python3-pip)" % (rctx.name, python))
    if result.return_code:
        fail("@{}: pip download: {}{}\nWithout an index: run\n  {} -d DIR\nwhere one answers, then build with --repo_env=EPPERF_WHEELS=DIR".format(
            rctx.name,
            result.stdout,
            result.stderr,
            " ".join([str(word) for word in download]),
        ))
    rctx.report_progress("unpack")
    result = rctx.execute([python, rctx.path(rctx.attr._unpack), "wheels", rctx.attr.prefix, "."], timeout = 600)
    if result.return_code:
        fail("@%s: unpack wheels: %s" % (rctx.name, result.stderr))
    rctx.delete("wheels")
    rctx.symlink(rctx.attr.build_file, "BUILD.bazel")

_ATTRS = {
    "build_file": attr.label(mandatory = True, doc = "Becomes the repository's BUILD.bazel."),
    "platform": attr.string(doc = "With python: the platform in the wheels' names."),
    "prefix": attr.string(mandatory = True, doc = "The folder inside the wheels that becomes the root; all of them if empty."),
    "python": attr.string(doc = "The CPython, as 3.11, whose wheels are meant where there is one for each; the user's own may be another."),
    "requirements": attr.label(mandatory = True, doc = "pip requirements, each with its hash."),
}

_unpacked_wheels = repository_rule(
    implementation = _unpacked_wheels_impl,
    attrs = _ATTRS | {"_unpack": attr.label(default = ":unpack.py")},
    environ = _ENVIRON,
)

def _wheels_impl(mctx):
    for module in mctx.modules:
        for tag in module.tags.unpack:
            _unpacked_wheels(
                name = tag.name,
                build_file = tag.build_file,
                platform = tag.platform,
                prefix = tag.prefix,
                python = tag.python,
                requirements = tag.requirements,
            )

wheels = module_extension(
    implementation = _wheels_impl,
    tag_classes = {"unpack": tag_class(attrs = _ATTRS | {"name": attr.string(mandatory = True)})},
)
