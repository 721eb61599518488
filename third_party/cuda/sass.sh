#!/bin/bash
# Checks which instructions the kernels of an image became: sass.sh CUOBJDUMP EXPECTS ARCH=CUBIN...
# Each line of the file EXPECTS: a kernel and a pattern of an instruction's name, whole or up to
# a point, * for any characters; one after a ! must not match.
set -euo pipefail

cuobjdump=$1 expects=$2
shift 2
[ $# -gt 0 ] || { echo "sass: the image has no machine code, only PTX: name an sm_N" >&2 && exit 1; }

# check ARCH: reads what cuobjdump says of one cubin.
check() {
  awk -v arch="$1" '
    NR == FNR { wanted[++count] = $0; next }
    $1 == "Function" { kernel = $3; kernels[kernel] = 1; next }
    $1 ~ /^\/\*[0-9a-f]+\*\/$/ {
      name = $2 ~ /^@/ ? $3 : $2
      sub(/;$/, "", name)
      names[kernel, name] = 1
    }
    function check_line(kernel, pattern,    forbidden, regex, family, key, part, found, similar) {
      forbidden = sub(/^!/, "", pattern)
      regex = pattern
      gsub(/\./, "[.]", regex)
      gsub(/\*/, ".*", regex)
      family = pattern
      sub(/[.*].*/, "", family)
      for (key in names) {
        split(key, part, SUBSEP)
        if (part[1] != kernel) continue
        if (part[2] ~ "^" regex "([.]|$)") found = found " " part[2]
        else if (index(part[2], family) == 1) similar = similar " " part[2]
      }
      if (forbidden && found != "") return "has" found ", which " pattern " rules out"
      if (!forbidden && found == "") return "has no " pattern (similar == "" ? "" : ", but" similar)
    }
    END {
      for (i = 1; i <= count; ++i) {
        split(wanted[i], word, " ")
        what = word[1] in kernels ? check_line(word[1], word[2]) : "is not in the image"
        if (what != "") { print "kernel " word[1] ", " arch ": it " what > "/dev/stderr"; failed = 1 }
      }
      exit failed
    }' "$expects" -
}

failed=0
for image; do
  "$cuobjdump" --dump-sass "${image#*=}" | check "${image%%=*}" || failed=1
done
exit "$failed"
