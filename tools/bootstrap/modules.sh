#!/bin/bash
# Gathers every Bazel module that the build demands: modules.sh DEBIAN PROTOS DEST
#
# rules_go and gazelle are Go modules, others come with Debian's Bazel (in DEBIAN), and the
# rest are the small stand-ins in modules/ beside this file. PROTOS holds the well-known
# .proto files. DEST gets one folder a module. GO is the go command that fetches.
set -euo pipefail
debian=$1 protos=$2 dest=$3
stand_ins=$(dirname "$(readlink -f "$0")")/modules
export GOFLAGS=-mod=mod GOWORK=off

copy() { # copy FROM NAME
  cp -rL --no-preserve=mode "$1" "$dest/$2"
}

fetch() { # fetch GO_MODULE@VERSION NAME
  local folder
  folder=$(cd / && "$GO" mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p')
  copy "$folder" "$2"
  # The zip of a module carries no executable bits.
  grep -rlIE -m1 '^#!' "$dest/$2" --include='*.sh' --include='*.bash' | xargs -r chmod +x
}

fetch github.com/bazelbuild/rules_go@v0.60.0 rules_go
fetch github.com/bazelbuild/bazel-gazelle@v0.47.0 gazelle

# Gazelle builds its helpers from vendor/, of which a module's zip has modules.txt alone: what
# is fetched again must give the same list.
cp "$dest/gazelle/vendor/modules.txt" "$dest/wanted.txt"
(cd "$dest/gazelle" && GOFLAGS='' "$GO" mod vendor -e) || true # complains of test-only imports
diff "$dest/wanted.txt" "$dest/gazelle/vendor/modules.txt"

share=$debian/root/usr/share/bazel
for module in cc java license shell; do copy "$share/rules/$module" "rules_$module"; done
copy "$share/tools/platforms" platforms
copy "$share/tools/features" bazel_features
copy "$share/tools/skylib" bazel_skylib
copy "$debian/root/usr/src/googletest" googletest

cp -r --no-preserve=mode "$stand_ins"/* "$dest"
cp -r --no-preserve=mode "$protos/google" "$dest/protobuf"
