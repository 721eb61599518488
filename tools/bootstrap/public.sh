# shellcheck shell=bash disable=SC2154 # the variables are those of tools/bazelw
# Finds the Bazel of those who reach its public releases and module registry; sourced by
# tools/bazelw.

bazelisk_module=github.com/bazelbuild/bazelisk@v1.28.0

# Prints the path of such a Bazel, or nothing where there is none. The answer is remembered,
# as asking takes seconds; EPPERF_BAZEL=public asks again and insists, =private never asks.
public_bazel() {
  local answer=$cache/public-bazel found=
  case ${EPPERF_BAZEL-} in
    private) return ;;
    public) ;;
    '')
      if [ -e "$answer" ]; then
        found=$(< "$answer")
        # A remembered program may be gone by now: then ask again.
        if [ -z "$found" ] || [ -x "$found" ]; then
          echo "$found"
          return
        fi
      fi
      ;;
    *) die "EPPERF_BAZEL is '$EPPERF_BAZEL'; it can be 'public' or 'private'" ;;
  esac
  found=$(find_public_bazel)
  [ -n "$found" ] || [ "${EPPERF_BAZEL-}" != public ] ||
    die "EPPERF_BAZEL=public, but Bazel $version or its module registry cannot be reached"
  echo "$found" > "$answer"
  echo "$found"
}

find_public_bazel() {
  local candidate
  # Bazel's releases and its registry both stand on this host. Git is what every machine has.
  GIT_TERMINAL_PROMPT=0 timeout 8 git ls-remote -q \
    https://github.com/bazelbuild/bazel-central-registry HEAD > /dev/null 2>&1 || {
    say "Bazel's public module registry does not answer here (EPPERF_BAZEL=public asks again)"
    return
  }
  for candidate in bazel bazelisk; do
    candidate=$(command -v "$candidate") || continue
    ! builds_with "$candidate" || return 0
  done
  once bazelisk "$steps/public.sh" -- go_install "$bazelisk_module"
  ! builds_with "$once/bazelisk" || return 0
  say "Bazel $version cannot be had from its public releases here (EPPERF_BAZEL=public asks again)"
}

# Prints the path of a Bazel if it is of the wanted version and its registry answers.
builds_with() {
  local workspace=$cache/probe
  rm -rf "$workspace" && mkdir "$workspace"
  cp "$repository/.bazelversion" "$workspace"
  echo 'bazel_dep(name = "platforms", version = "1.0.0")' > "$workspace/MODULE.bazel"
  (
    cd "$workspace" &&
      timeout 300 "$1" --version | grep -qx "bazel $version" &&
      timeout 60 "$1" --batch --ignore_all_rc_files --output_user_root="$workspace/root" mod graph
  ) > "$workspace.log" 2>&1 && echo "$1"
}
