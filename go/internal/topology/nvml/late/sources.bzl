"""The sources of a Go library of another repository, which does not export its files."""

load("@rules_go//go:def.bzl", "GoInfo")

def _impl(ctx):
    return [DefaultInfo(files = depset(ctx.attr.library[GoInfo].srcs))]

go_sources = rule(
    implementation = _impl,
    doc = "The .go files and headers of a library, its C functions' declarations included.",
    attrs = {"library": attr.label(mandatory = True, providers = [GoInfo])},
)
