#!/bin/bash
# verify counts its steps, and a test that collect listed and that is not there fails. Programs are
# stand-ins that do nothing.
set -euo pipefail
verify=$1
binaries=$TEST_TMPDIR/binaries
export PATH=$TEST_TMPDIR/bin:$PATH
mkdir -p "$binaries" "$TEST_TMPDIR/bin"
program() { printf '#!/bin/bash\n%s\n' "$2" >"$1" && chmod +x "$1"; }
# No GPU is there for ranks of their own, nor MPS to share one: what takes ranks is skipped.
program "$TEST_TMPDIR/bin/nvidia-smi" 'echo "GPU 0: none"'
program "$TEST_TMPDIR/bin/sleep" true
program "$TEST_TMPDIR/bin/pgrep" 'exit 1'
program "$binaries/perf" 'exit 1'
program "$binaries/report" true
program "$binaries/here_gpu_test" true
printf '%s\n' here_gpu_test absent_gpu_test >"$binaries/tests"

if "$verify" "$binaries" "$TEST_TMPDIR/output" 2 >"$TEST_TMPDIR/said"; then
  echo 'a missing test passed' >&2
  exit 1
fi
cat "$TEST_TMPDIR/said"
grep -q '^ok    here_gpu_test' "$TEST_TMPDIR/said"
grep -q '^FAIL  absent_gpu_test' "$TEST_TMPDIR/said"
steps=$(grep -cE '^(ok|FAIL) ' "$TEST_TMPDIR/said")
grep -qx "$steps steps" "$TEST_TMPDIR/said"

rm "$binaries/tests"
if "$verify" "$binaries" "$TEST_TMPDIR/output" 2 >"$TEST_TMPDIR/said"; then
  echo 'a missing list passed' >&2
  exit 1
fi
grep -q '^FAIL  tests, the list that collect writes' "$TEST_TMPDIR/said"
