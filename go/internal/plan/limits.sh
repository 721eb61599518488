#!/bin/bash
# limits.sh WORDS_H: prints limits.go, the limits that csrc/protocol/words.h defines: EP_MAX_RANKS_GPU
# as maxRanksGPU.
set -euo pipefail
echo '// Code generated from csrc/protocol/words.h. DO NOT EDIT.'
printf '\npackage plan\n\n'
echo '// Limits of a shape; those on GPUs apart, where they are lower.'
echo 'const ('
awk '$1 == "#define" && NF == 3 {
  words = split(substr($2, 4), word, "_")
  name = tolower(word[1])
  for (i = 2; i <= words; ++i) {
    name = name (word[i] == "GPU" ? "GPU" : substr(word[i], 1, 1) tolower(substr(word[i], 2)))
  }
  print "\t" name " = " $3
}' "$1"
echo ')'
