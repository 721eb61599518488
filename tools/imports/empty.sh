#!/bin/bash
# Fails where a query has found anything: empty.sh CONTROL QUERY...
#
# CONTROL is a query that finds something if queries work at all.
set -uo pipefail
control=$1 failed=0
shift
grep -q '^//go/internal/' "$control" || {
  echo "the control found nothing: do labels look otherwise now?"
  exit 1
}
for query in "$@"; do
  [ -s "$query" ] || continue
  failed=1
  echo "${query##*/} depends on what its rule in tools/imports/BUILD.bazel leaves out:"
  head -5 "$query" | sed 's/^/  /'
done
[ "$failed" = 0 ] || echo "the way there: tools/bazelw query 'somepath(//the/package, //one/of:these)'"
exit "$failed"
