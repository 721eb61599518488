#!/bin/bash
# Reads the image by other people's tools, and runs it on nothing but itself: image_test.sh FILE...
set -euo pipefail
PATH+=:/usr/sbin:/sbin
skip() { echo "skipped: $*"; exit 0; }
[ "$(id -u)" = 0 ] || skip "an image's root, with its owners, needs root"
for program in skopeo umoci; do
  command -v "$program" > /dev/null || skip "no $program on this machine (Debian: apt-get install skopeo umoci)"
done
for file in "$@"; do case $file in *.oci.tar) image=$(readlink -f "$file") ;; esac; done
cd "$TEST_TMPDIR"
version=$(tar xOf "$image" index.json | sed 's/.*"org.opencontainers.image.ref.name":"\([^"]*\)".*/\1/')
# A copy reads each blob and checks its hash; to another format it reads what the layers unpack to, too.
skopeo copy --quiet "oci-archive:$image" "oci:layout:$version"
skopeo copy --quiet "oci-archive:$image" "docker-archive:docker.tar:epperf:$version"
umoci unpack --image "layout:$version" bundle
python3 - <<'PYTHON'
import json
process = json.load(open("bundle/config.json"))["process"]
assert process["user"]["uid"] == process["user"]["gid"] == 65532, process["user"]
assert process["args"] == ["/opt/epperf/bin/perf"], process["args"]
PYTHON
# The image's user, on a root that it may not write but for its home and /tmp, in namespaces of its own.
# shellcheck disable=SC2016 # for the shell in there
in_image() {
  unshare --mount --pid --fork --net sh -ec '
    root=$1; shift
    mkdir -p "$root/proc" "$root/dev"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    ip link set lo up 2> /dev/null || true
    exec env -i PATH=/opt/epperf/bin HOME=/home/epperf \
      /usr/sbin/chroot --userspec=65532:65532 --groups= "$root" "$@"' sh "$PWD/bundle/rootfs" "$@"
}
in_image /opt/epperf/bin/perf --version
in_image /opt/epperf/bin/perf --mode=combine --device=cpu --quiet --output=/home/epperf/results | tee out
grep -q '8/8 ranks passed' out || { echo "the main job fails in the image"; exit 1; }
[ "$(stat -c %u bundle/rootfs/home/epperf/results/*.epperf)" = 65532 ] || { echo "the record is not the user's"; exit 1; }
! in_image /opt/epperf/bin/perf --mode=combine --device=cpu --quiet --output=/opt > out 2>&1 || { echo "its user may write below /opt"; exit 1; }
