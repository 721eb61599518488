#!/bin/bash
# The main job from a release, on roots with what every Debian has and no more: debian_test.sh FILE...
set -euo pipefail
PATH+=:/usr/sbin:/sbin
skip() { echo "skipped: $*"; exit 0; }
[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
command -v debootstrap > /dev/null || skip "no debootstrap on this machine (Debian: apt-get install debootstrap)"
for file in "$@"; do case $file in *.tar.gz) archive=$(readlink -f "$file") ;; esac; done
# The mirror is the machine's own.
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources | head -1)
[ -n "$mirror" ] || skip "no Debian mirror in /etc/apt"
for suite in bookworm trixie; do
  root=$TEST_TMPDIR/$suite
  debootstrap --variant=minbase "$suite" "$root" "$mirror" > "$root.log" 2>&1 || { tail "$root.log"; exit 1; }
  for program in go python3 bazel; do
    ! chroot "$root" sh -c "command -v $program" || { echo "$suite has $program: proves nothing"; exit 1; }
  done
  mkdir "$root/job" && tar xzf "$archive" -C "$root/job" && chmod 1777 "$root/job"
  # A user without rights, in a namespace with a /proc of its own.
  # shellcheck disable=SC2016 # for the shell in there
  unshare --mount --pid --fork sh -ec '
    mount -t proc proc "$1/proc"
    exec chroot --userspec=65534:65534 "$1" sh -ec "cd /job && epperf-*/bin/perf --mode=combine --quiet"' sh "$root" |
    tee "$root.out"
  grep -q '8/8 ranks passed' "$root.out"
  rm -rf "$root"
done
