#!/bin/bash
# The checks of images fail where they must, and say why:
# image_tests_test.sh CUOBJDUMP EXAMPLE.CUBIN SPILLING.CUBIN
set -euo pipefail

cuobjdump=$1 example=sm_90a=$2 spilling=sm_90a=$3
lines=$TEST_TMPDIR/lines
failed=0

# refuses CHECK IMAGE LINES TEXT: CHECK with these lines must fail on the image and print TEXT.
refuses() {
  local said
  printf '%s\n' "$3" >"$lines"
  if said=$("third_party/cuda/$1.sh" "$cuobjdump" "$lines" "$2" 2>&1); then
    echo "$1 passes with '$3', should say: $4"
    failed=1
  elif [[ $said != *"$4"* ]]; then
    echo "$1 with '$3' says '$said', not: $4"
    failed=1
  fi
}

fits='Reverse 255 9999'
refuses resources "$example" "$fits" 'kernel MultiplyAdd, sm_90a: it has no budget'
refuses resources "$example" "$fits"$'\nMultiplyAdd 4 0' 'kernel MultiplyAdd, sm_90a: 14 registers a thread exceed its budget of 4'
refuses resources "$example" $'MultiplyAdd 255 0\nReverse 255 255' 'kernel Reverse, sm_90a: 1280 bytes of shared memory exceed its budget of 255'
refuses resources "$example" "$fits"$'\nMultiplyAdd 255 0\nGone 1 1' 'kernel Gone, sm_90a: it has a budget and is not in the image'
refuses resources "$spilling" 'Spill 255 9999' 'kernel Spill, sm_90a: a stack of 256 bytes'

refuses sass "$example" 'MultiplyAdd LDG.E.64' 'kernel MultiplyAdd, sm_90a: it has no LDG.E.64, but LDG.E.128'
refuses sass "$example" 'MultiplyAdd LDG.E.12' 'it has no LDG.E.12'
refuses sass "$example" 'Reverse STG.*.128' 'kernel Reverse, sm_90a: it has no STG.*.128, but STG.E'
refuses sass "$example" 'Reverse !STG' 'kernel Reverse, sm_90a: it has STG.E, which STG rules out'
refuses sass "$example" 'Gone EXIT' 'kernel Gone, sm_90a: it is not in the image'
exit "$failed"
