"""Unpacks the files below PREFIX, "" for all, of all wheels in a folder: unpack.py WHEELS PREFIX DEST"""

import os
import shutil
import sys
import zipfile


def main():
    wheels, prefix, dest = sys.argv[1:]
    for name in sorted(os.listdir(wheels)):
        if not name.endswith(".whl"):
            continue
        with zipfile.ZipFile(os.path.join(wheels, name)) as wheel:
            for info in wheel.infolist():
                if info.is_dir() or ".." in info.filename.split("/"):
                    continue
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
