"""Unpacks the files below PREFIX, "" for all, of all wheels in a folder: unpack.py WHEELS PREFIX DEST

What a wheel says of itself, METADATA and licences, goes to dist-info/NAME, NAME without version.
"""

import os
import shutil
import sys
import zipfile


def about(path):
    """Returns where a file goes that says what the wheel is, else None."""
    folder, *rest = path.split("/")
    if not folder.endswith(".dist-info") or not rest:
        return None
    if rest == ["METADATA"] or "licen" in rest[-1].lower():
        return "dist-info/%s/%s" % (folder.split("-")[0], rest[-1])
    return None


def main():
    wheels, prefix, dest = sys.argv[1:]
    for name in sorted(os.listdir(wheels)):
        if not name.endswith(".whl"):
            continue
        with zipfile.ZipFile(os.path.join(wheels, name)) as wheel:
            for info in wheel.infolist():
                if info.is_dir() or ".." in info.filename.split("/"):
                    continue
                path = about(info.filename) if prefix else None
                if not path:
                    path = info.filename.removeprefix(prefix + "/") if prefix else info.filename
                    if prefix and path == info.filename:
                        continue
                target = os.path.join(dest, path)
                os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
                with wheel.open(info) as source, open(target, "wb") as out:
                    shutil.copyfileobj(source, out)
                # Some wheels hold programs of mode 0744, some forget the mode: every user
                # may run what the owner may, and what lies in bin/.
                program = (info.external_attr >> 16) & 0o100 or "bin" in path.split("/")[:-1]
                os.chmod(target, 0o755 if program else 0o644)


main()
