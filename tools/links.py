#!/usr/bin/env python3
"""Prints each link of a document in the checkout that leads nowhere: a file, or a heading of one.

Addresses of the network are not asked.
"""

import pathlib
import re
import subprocess

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"(?m)^#+ +(.*?) *$")
CODE = re.compile(r"(?ms)^( *)```.*?^\1```$|^(?: {4}|\t).*?$")


def anchors(text):
    """Returns the names that GitHub gives headings; the second of a name ends with -1."""
    found, seen = set(), {}
    for heading in HEADING.findall(CODE.sub("", text)):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return found


def main():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], capture_output=True, check=True).stdout
    texts = {name: pathlib.Path(name).read_text() for name in listed.decode().split("\0") if name and pathlib.Path(name).exists()}
    if len(texts) < 10:
        print(f"only {len(texts)} documents: is this the checkout?")
    for name, text in sorted(texts.items()):
        for link in LINK.findall(CODE.sub("", text)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = pathlib.Path(name).parent.joinpath(path) if path else pathlib.Path(name)
            if not target.exists():
                print(f"{name}: {link}: there is no {target}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
                print(f"{name}: {link}: {target} has no such heading")


main()
