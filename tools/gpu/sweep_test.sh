#!/bin/bash
# The table of a sweep, on CPUs: every row has figures where CPUs have some, and what fails is said.
# FLAGS reach every case, and REPEATS are so many launches.
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

# Each launch has a record, and a figure is the middle one of three.
TOKENS=1 LAYOUTS=expert FLAGS='--seed=7 --iters=3' REPEATS=3 "$sweep" "$binaries" "$TEST_TMPDIR/repeated" 2 >"$TEST_TMPDIR/table"
cat "$TEST_TMPDIR/table"
grep -qFx 'Flags: --seed=7 --iters=3; launches of each case: 3' "$TEST_TMPDIR/table"
spread="$number \($number-$number\)"
(($(grep -cE "^\| 1 \| expert \| [a-zA-Z0-9 ]+ \| $spread \| $spread \| - \| - \| $spread \|" "$TEST_TMPDIR/table") == 3)) ||
  { echo 'not 3 rows of medians' >&2; exit 1; }
(($(find "$TEST_TMPDIR/repeated" -name '*.epperf' | wc -l) == 10)) || { echo 'not 10 records' >&2; exit 1; }
awk -F'[|(-]' '/^\| 1 /{ if ($5 < $6 || $5 > $7 + 0) exit 1 }' "$TEST_TMPDIR/table" ||
  { echo 'a median outside its spread' >&2; exit 1; }

# Flags are the last to be read; where rows are quantised before there is no BF16.
if TOKENS=1 LAYOUTS=expert FLAGS='--topk=9 --quantize=outside' "$sweep" "$binaries" "$TEST_TMPDIR/flags" 2 >"$TEST_TMPDIR/table"; then
  echo 'a sweep whose flags are wrong passed' >&2
  exit 1
fi
(($(grep -cE '^\| 1 \| expert \| (dispatch FP8|combine) \| failed: perf: --topk=9: ' "$TEST_TMPDIR/table") == 2)) ||
  { echo 'not 2 rows that failed for their flags' >&2; exit 1; }
if grep -q BF16 "$TEST_TMPDIR/table"; then
  echo 'BF16 is quantised' >&2
  exit 1
fi
