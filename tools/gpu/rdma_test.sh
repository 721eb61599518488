#!/bin/bash
# rdma counts its steps, runs on all hosts at once, and stops where rows do not take RDMA. Programs are
# stand-ins that say what they were asked.
set -euo pipefail
rdma=$1
binaries=$TEST_TMPDIR/binaries
export PATH=$TEST_TMPDIR/bin:$PATH ASKED=$TEST_TMPDIR/asked
mkdir -p "$binaries" "$TEST_TMPDIR/bin"
program() { printf '#!/bin/bash\n%s\n' "$2" >"$1" && chmod +x "$1"; }
program "$TEST_TMPDIR/bin/nvidia-smi" 'echo "GPU 0: none"'
program "$TEST_TMPDIR/bin/sleep" true
program "$TEST_TMPDIR/bin/lsmod" true
program "$TEST_TMPDIR/bin/pgrep" 'exit 1'
# shellcheck disable=SC2016 # the stand-in's own
program "$TEST_TMPDIR/bin/reach" 'echo "$1" >>"$ASKED.hosts"; shift; exec bash -c "$*"'
# shellcheck disable=SC2016 # the same
program "$binaries/perf" 'echo "${UCX_IB_AR_ENABLE-}" "$@" >>"$ASKED"
[[ $1 != coordinator ]] || exit 0
case "${UCX_NET_DEVICES-} $*" in
  nonesuch*) exit 1 ;;
  *100000000*) echo "perf: rank 0 was killed"; exit 1 ;;
esac
echo "Backend: ${BACKEND}"'

export BACKEND='none (RDMA forced)' RSH=$TEST_TMPDIR/bin/reach RANKS=2
"$rdma" "$binaries" "$TEST_TMPDIR/output" a b c >"$TEST_TMPDIR/said" || { cat "$TEST_TMPDIR/said"; exit 1; }
cat "$TEST_TMPDIR/said"
grep -q '^ok    ladder-3-host' "$TEST_TMPDIR/said"
steps=$(grep -cE '^(ok|FAIL) ' "$TEST_TMPDIR/said")
grep -q "^$steps passed, 0 failed" "$TEST_TMPDIR/said"
grep -q -- '--nnodes=3 .*--node-rank=2' "$ASKED"
grep -qE '^no .*--node-rank=0' "$ASKED"
sort -u "$ASKED.hosts" | tr '\n' ' ' | grep -qx 'b c '

if BACKEND='none (tcp, staged in host memory)' "$rdma" "$binaries" "$TEST_TMPDIR/tcp" a b >"$TEST_TMPDIR/said" 2>&1; then
  echo 'TCP passed for RDMA' >&2
  exit 1
fi
grep -q 'do not take RDMA' "$TEST_TMPDIR/said"
