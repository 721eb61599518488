#!/bin/bash
# The table of a sweep, on CPUs: every row has figures where CPUs have some, and flags reach every case.
set -euo pipefail
export CUDA_VISIBLE_DEVICES=
folder=$TEST_TMPDIR/folder
mkdir "$folder"
ln -s "$PWD/$2" "$folder/perf"
cp "$1" "$folder/sweep"
# The ladders of the real file, with fewer steps.
sed 's/tokens: .*/tokens: ["1", "8"]/' "${1}.txtpb" >"$folder/sweep.txtpb"

"$folder/sweep" "$folder" "$TEST_TMPDIR/output" 2 --hidden=128 --topk=2 --experts-per-rank=4 --iters=5 --quiet >"$TEST_TMPDIR/table"
cat "$TEST_TMPDIR/table"
number='[0-9]+\.[0-9]+'
for row in 'dispatch +1 +fp8 +expert' 'combine +8 +fp8 +flat' 'dispatch +8 +bf16 +expert' 'dispatch +8 +fp8 +flat'; do
  grep -qE "^$row +2/2( +$number){5} +$number%$" "$TEST_TMPDIR/table" || { echo "no row $row" >&2; exit 1; }
done
(($(grep -cE '^(dispatch|combine) ' "$TEST_TMPDIR/table") == 12)) || { echo 'not 12 rows' >&2; exit 1; }
(($(find "$TEST_TMPDIR/output" -name '*.epperf' | wc -l) == 2)) || { echo 'not 2 records' >&2; exit 1; }

if "$folder/sweep" "$folder" "$TEST_TMPDIR/other" 2 --topk=9 --experts-per-rank=4 --quiet 2>"$TEST_TMPDIR/error"; then
  echo 'a sweep that makes no sense passed' >&2
  exit 1
fi
grep -q -- '--topk=9: ' "$TEST_TMPDIR/error"
