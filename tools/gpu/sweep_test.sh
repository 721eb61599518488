#!/bin/bash
# The table of a sweep, on CPUs: every row has figures where CPUs have some, and what fails is said.
set -euo pipefail
sweep=$1
binaries=$TEST_TMPDIR/binaries
mkdir "$binaries"
ln -s "$PWD/$2" "$binaries/perf"
export DEVICE=cpu TOKENS='1 8' HIDDEN=128 EXPERTS=8 TOPK=2

"$sweep" "$binaries" "$TEST_TMPDIR/output" 2 >"$TEST_TMPDIR/table"
cat "$TEST_TMPDIR/table"
number='[0-9]+\.[0-9]+'
for row in '1 \| expert \| dispatch FP8' '1 \| flat \| combine' '8 \| expert \| dispatch BF16' '8 \| flat \| dispatch FP8'; do
  grep -qE "^\| $row \| $number \| $number \| - \| - \| $number \| $number% \|$" "$TEST_TMPDIR/table" ||
    { echo "no row $row" >&2; exit 1; }
done
(($(grep -cE '^\| [0-9]' "$TEST_TMPDIR/table") == 12)) || { echo 'not 12 rows' >&2; exit 1; }
(($(find "$TEST_TMPDIR/output" -name '*.epperf' | wc -l) == 13)) || { echo 'not 13 records' >&2; exit 1; }

if TOPK=9 "$sweep" "$binaries" "$TEST_TMPDIR/other" 2 >"$TEST_TMPDIR/table"; then
  echo 'a sweep of failures passed' >&2
  exit 1
fi
grep -qE '^\| 1 \| expert \| combine \| failed: perf: --topk=9: ' "$TEST_TMPDIR/table"
