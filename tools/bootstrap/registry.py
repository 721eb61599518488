#!/usr/bin/env python3
"""Writes a local Bazel registry: registry.py ROOT_MODULE_FILE DEBIAN MODULES DEST

It serves every module in the folder MODULES (tools/bootstrap/modules.sh) at each version that
the root module, Bazel's own modules in DEBIAN or another of the modules asks for: there is
one copy of each, and it is what every version resolves to. DEST/bazelrc makes Bazel use it.
"""

import json
import os
import re
import sys

# Bazel's built-in local_config_platform asks for it, in no MODULE.bazel.
BUILT_IN = {"platforms": {"0.0.7"}}

BAZELRC = """\
# Nothing is downloaded by Bazel itself: modules come from this registry, the rest from
# repository rules that ask pip and go.
common --registry=file://{dest}
common --experimental_downloader_config={dest}/downloader.cfg
"""


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def dependencies(text, is_root):
    """Yields (name, version) of each bazel_dep that counts; dev ones count in the root only."""
    text = re.sub(r"(?m)#.*$", "", text)
    for call in re.findall(r"bazel_dep\(([^)]*)\)", text):
        arguments = dict(re.findall(r'(\w+)\s*=\s*"?([^",]*)"?', call))
        if arguments.get("version") and (is_root or arguments.get("dev_dependency") != "True"):
            yield arguments["name"], arguments["version"]


def with_version(text, name, version):
    """Returns a MODULE.bazel with its module() rewritten to say name and version."""
    head = re.search(r"(?m)^module\([^)]*\)", text)
    repo_name = re.search(r'repo_name\s*=\s*"[^"]+"', head.group(0))
    arguments = [f'name = "{name}"', f'version = "{version}"'] + ([repo_name.group(0)] if repo_name else [])
    return text[: head.start()] + f"module({', '.join(arguments)})" + text[head.end() :]


def main():
    root_file, debian, modules, dest = sys.argv[1:]
    texts = {
        name: read(f"{modules}/{name}/MODULE.bazel")
        for name in sorted(os.listdir(modules))
        if os.path.exists(f"{modules}/{name}/MODULE.bazel")
    }
    wanted = {name: set(BUILT_IN.get(name, ())) for name in texts}
    embedded = read(f"{debian}/root/usr/share/bazel/embedded_tools/MODULE.bazel")
    asked = list(dependencies(read(root_file), is_root=True))
    for text in [embedded, *texts.values()]:
        asked += dependencies(text, is_root=False)
    for name, version in asked:
        if name not in wanted:
            sys.exit(f"registry.py: nothing serves {name}@{version}: add it to tools/bootstrap/modules")
        wanted[name].add(version)

    write(f"{dest}/bazel_registry.json", json.dumps({"mirrors": []}))
    for name, versions in wanted.items():
        for version in versions:
            folder = f"{dest}/modules/{name}/{version}"
            write(f"{folder}/MODULE.bazel", with_version(texts[name], name, version))
            source = {"type": "local_path", "path": f"{modules}/{name}"}
            write(f"{folder}/source.json", json.dumps(source))
        metadata = {"versions": sorted(versions), "yanked_versions": {}}
        write(f"{dest}/modules/{name}/metadata.json", json.dumps(metadata))
    write(f"{dest}/downloader.cfg", "block *\n")
    write(f"{dest}/bazelrc", BAZELRC.format(dest=dest))


main()
