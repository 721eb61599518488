"""The buildozer that `bazel mod tidy` runs, made from its Go module when first asked for."""

_MODULE = "github.com/bazelbuild/buildtools/buildozer@v0.0.0-20260904073137-eaa4d125b423"

def _buildozer_impl(rctx):
    go = rctx.getenv("EPPERF_GO") or rctx.which("go")
    result = rctx.execute(
        [go, "install", _MODULE],
        environment = {"GOBIN": str(rctx.path(".")), "GOFLAGS": "-mod=mod"},
    )
    if result.return_code:
        fail("go install %s: %s" % (_MODULE, result.stderr))
    rctx.symlink("buildozer", "buildozer.exe")
    rctx.file("BUILD.bazel")
    rctx.file("buildozer.bzl", "BUILDOZER_LABEL = None\n")

_buildozer = repository_rule(implementation = _buildozer_impl)

buildozer_binary = module_extension(implementation = lambda _: _buildozer(name = "buildozer_binary"))
