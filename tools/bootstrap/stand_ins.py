#!/usr/bin/env python3
"""Prints where a folder in modules/ is not what stand_ins.txt says of the module it stands in for.

So the private way, which builds with these folders, and the public way, which builds with the modules,
load the same names and ask for the same targets. A .bzl file in a folder `private` is nobody else's.
Starlark is run as if it were Python, with an object that takes everything in the place of what Bazel has.
"""

import collections
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent


class Anything:
    """What Starlark's own names are: can be called and has every field."""

    def __init__(self, targets):
        self.targets = targets

    def __call__(self, *_, name=None, **__):
        if name:
            self.targets.add(name)
        return self

    def __getattr__(self, _):
        return self

    def __iter__(self):
        return iter(())


class Names(dict):
    """Of a file: what it sets, and for all other names one object."""

    def __init__(self, anything):
        super().__init__()
        self.anything = anything

    def __missing__(self, name):
        return self.anything


def declared(path):
    """Returns the targets of a BUILD file, or the public names that a .bzl file sets."""
    targets = set()
    names = Names(Anything(targets))
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102, our own files
    if path.suffix == ".bzl":
        return {name for name in names if not name.startswith("_")}
    return targets


def listed():
    """Returns {module: (version, {file: names})}. A BUILD file is a BUILD file under either name."""
    modules = {}
    for line in (HERE / "stand_ins.txt").read_text().splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "module":
            files = collections.defaultdict(set)
            modules[words[1]] = (words[2], files)
        else:
            files[re.sub(r"BUILD$", "BUILD.bazel", words[0])].update(words[1:])
    return modules


def version_of(text, name):
    found = re.search(rf'name = "{name}",\s*version = "([^"]+)"', text)
    return found and found.group(1)


def main():
    asked = (HERE.parent.parent / "MODULE.bazel").read_text()
    modules = listed()
    folders = {folder.name: folder for folder in (HERE / "modules").iterdir()}
    for name in sorted(folders.keys() ^ modules.keys()):
        print(f"{name}: is in one of modules/ and stand_ins.txt, not in both")
    for name in sorted(folders.keys() & modules.keys()):
        folder, (version, files) = folders[name], modules[name]
        has = version_of((folder / "MODULE.bazel").read_text(), name)
        if has != version or version_of(asked, name) not in (None, version):
            print(f"{name}: MODULE.bazel asks for {version_of(asked, name)}, stand_ins.txt was read at {version}, the stand-in says {has}")
        ours = {}
        for path in [*folder.rglob("BUILD.bazel"), *folder.rglob("*.bzl")]:
            if path.suffix != ".bzl" or path.parent.name != "private":
                if names := declared(path):
                    ours[str(path.relative_to(folder))] = names
        for file in sorted(ours.keys() | files.keys()):
            for what in sorted(ours.get(file, set()) - files.get(file, set())):
                print(f"{name}: {file} declares {what}, which the module does not as far as stand_ins.txt says")
            for what in sorted(files.get(file, set()) - ours.get(file, set())):
                print(f"{name}: {file} lacks {what}")


main()
