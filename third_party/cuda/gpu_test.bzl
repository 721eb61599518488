"""Tests that need a GPU, and skip where there is none."""

load("@rules_cc//cc:defs.bzl", "cc_test")

def gpu_test(name, size, deps):
    """A test of NAME.cc that tools/gpu/collect takes along: one file, with all that it needs.

    Args:
      name: the test's, and its source's without .cc.
      size: as of any test.
      deps: as of any cc_test.
    """
    cc_test(
        name = name,
        size = size,
        srcs = [name + ".cc"],
        linkstatic = True,
        tags = ["gpu"],
        deps = deps,
    )
