"""@go_pinned: a Go SDK pinned by version and hash, fetched by the Go of the machine.

The SDK is the Go module golang.org/toolchain, so the user's module proxy and its settings
apply. The Go that fetches is EPPERF_GO (tools/bazelw sets it where it had to bring one
along) or `go` on PATH; any since 1.21 will do, as it builds nothing.
"""

def _pinned_go_impl(rctx):
    go = rctx.getenv("EPPERF_GO") or rctx.which("go")
    if not go:
        fail("@%s: no go (1.21 or later) on PATH to fetch Go %s with; tools/bazelw brings one" % (rctx.name, rctx.attr.version))
    toolchain = "v0.0.1-go%s.linux-amd64" % rctx.attr.version
    result = rctx.execute(
        [go, "mod", "download", "-json", "golang.org/toolchain@" + toolchain],
        environment = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"},
        timeout = 1200,
    )
    if result.return_code:
        fail("@%s: go mod download golang.org/toolchain@%s: %s%s" % (rctx.name, toolchain, result.stdout, result.stderr))
    module = json.decode(result.stdout)
    if module["Sum"] != rctx.attr.sum:
        fail("@%s: golang.org/toolchain@%s has the hash %s, not %s as MODULE.bazel says" % (rctx.name, toolchain, module["Sum"], rctx.attr.sum))

    # A copy of our own, as the module cache may be cleaned at any time.
    rctx.extract(module["Zip"], stripPrefix = "golang.org/toolchain@" + toolchain)

    # The zip of a module carries no executable bits.
    result = rctx.execute(["sh", "-c", "chmod +x bin/* pkg/tool/*/*"])
    if result.return_code:
        fail("@%s: make Go's programs executable: %s" % (rctx.name, result.stderr))
    rctx.file("ROOT")
    rctx.file("BUILD.bazel", 'exports_files(["LICENSE", "ROOT"])\n')

_pinned_go = repository_rule(
    implementation = _pinned_go_impl,
    attrs = {
        "sum": attr.string(mandatory = True, doc = "The module's h1 hash, as in a go.sum."),
        "version": attr.string(mandatory = True),
    },
)

def _go_pinned_impl(mctx):
    for module in mctx.modules:
        for tag in module.tags.sdk:
            _pinned_go(name = "go_pinned", sum = tag.sum, version = tag.version)

go_pinned = module_extension(
    implementation = _go_pinned_impl,
    tag_classes = {"sdk": tag_class(attrs = {
        "sum": attr.string(mandatory = True),
        "version": attr.string(mandatory = True),
    })},
)
