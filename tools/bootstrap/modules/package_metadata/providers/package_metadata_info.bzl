"""What package_metadata says of a package."""

PackageMetadataInfo = provider("Where a package is from.", fields = ["attributes", "purl"])
