#!/usr/bin/env python3
"""Completes the class path of Debian's Bazel: classpath.py ROOT CLASSPATH_FILE

CLASSPATH_FILE lists jars below /usr/share/java, one a line. Each is rewritten to lie below
ROOT, and the jars that their manifests name by absolute path are added, to any depth.
"""

import os
import sys
import zipfile


def manifest_jars(jar):
    """Returns the absolute paths in the Class-Path of a jar's manifest."""
    with zipfile.ZipFile(jar) as archive:
        try:
            manifest = archive.read("META-INF/MANIFEST.MF").decode()
        except KeyError:
            return []
    # A manifest line continues where the next one begins with a space.
    for line in manifest.replace("\r\n", "\n").replace("\n ", "").split("\n"):
        if line.startswith("Class-Path: "):
            return [path for path in line.split()[1:] if path.startswith("/")]
    return []


def main():
    root, file = sys.argv[1:]
    with open(file) as lines:
        jars = [root + line.strip() for line in lines if line.strip()]
    for jar in jars:  # grows while it is walked
        if os.path.exists(jar):
            jars += [root + path for path in manifest_jars(jar) if root + path not in jars]
    with open(file, "w") as out:
        out.writelines(jar + "\n" for jar in jars)


main()
