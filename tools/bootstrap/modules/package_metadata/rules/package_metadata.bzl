"""The rule with which a generated BUILD file says where its package is from."""

load("//providers:package_metadata_info.bzl", "PackageMetadataInfo")

def _package_metadata_impl(ctx):
    return [PackageMetadataInfo(attributes = [], purl = ctx.attr.purl)]

_package_metadata = rule(
    implementation = _package_metadata_impl,
    attrs = {"purl": attr.string()},
    provides = [PackageMetadataInfo],
)

def package_metadata(name, purl, visibility = None):
    # By its package's default the target would describe itself.
    _package_metadata(name = name, applicable_licenses = [], purl = purl, visibility = visibility)
