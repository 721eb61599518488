#!/bin/bash
# Checks what the kernels of an image take of a GPU: resources.sh CUOBJDUMP BUDGETS ARCH=CUBIN...
# Each line of the file BUDGETS: a kernel, its registers a thread, its bytes of shared memory.
set -euo pipefail

cuobjdump=$1 budgets=$2
shift 2
[ $# -gt 0 ] || { echo "resources: the image has no machine code, only PTX: name an sm_N" >&2 && exit 1; }

# check ARCH: reads what cuobjdump says of one cubin.
check() {
  awk -v arch="$1" '
    function fail(what) { print "kernel " kernel ", " arch ": " what > "/dev/stderr"; failed = 1 }
    function within(what, used, budget) {
      if (used > budget) fail(used " " what " exceed its budget of " budget)
    }
    NR == FNR { registers[$1] = $2; shared[$1] = $3; next }
    $1 == "Function" { kernel = $2; sub(/:$/, "", kernel); next }
    kernel == "" || !/REG:/ { next }
    {
      for (i = 1; i <= NF; ++i) { split($i, pair, ":"); used[pair[1]] = pair[2] + 0 }
      seen[kernel] = 1
      print kernel, arch, $0
      if (!(kernel in registers)) fail("it has no budget; it takes " used["REG"] " registers, " used["SHARED"] " bytes of shared memory")
      else {
        within("registers a thread", used["REG"], registers[kernel])
        within("bytes of shared memory", used["SHARED"], shared[kernel])
      }
      if (used["STACK"] || used["LOCAL"])
        fail("a stack of " used["STACK"] " bytes and " used["LOCAL"] " bytes of local memory: values spill or an array is indexed at run time")
    }
    END {
      for (kernel in registers) if (!(kernel in seen)) fail("it has a budget and is not in the image")
      exit failed
    }' "$budgets" -
}

failed=0
for image; do
  "$cuobjdump" --dump-resource-usage "${image#*=}" | check "${image%%=*}" || failed=1
done
exit "$failed"
