#!/bin/bash
# Unpacks the hash-pinned wheels of a requirements file: wheel.sh REQUIREMENTS PREFIX DEST
#
# DEST gets what lies below the folder PREFIX inside the wheels. The user's own pip settings
# apply.
set -euo pipefail
requirements=$1 prefix=$2 dest=$3
unpack=$(dirname "$0")/../../third_party/wheels/unpack.py

python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: \
  --disable-pip-version-check -r "$requirements" -d "$dest/wheels"
python3 "$unpack" "$dest/wheels" "$prefix" "$dest"
rm -r "$dest/wheels"
