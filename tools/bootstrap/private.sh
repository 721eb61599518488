# shellcheck shell=bash disable=SC2034,SC2154 # the variables are those of tools/bazelw
# Makes the private Bazel, step by step; sourced by tools/bazelw.

# Sets $bazel and adds to $options, its startup options. They come beside the rc files of
# the user and of the checkout, not instead of them.
make_private_bazel() {
  local debian protos modules stubs
  # Sandboxes have a /tmp of their own, in which a Bazel that lies below /tmp is missing.
  case $(readlink -f "$cache") in
    /tmp/*) die "the private Bazel cannot lie below /tmp, as $cache does: set XDG_CACHE_HOME to another folder" ;;
  esac
  need_packages patchelf
  once debian-bazel "$steps"/{debian_bazel.sh,classpath.py} -- "$steps/debian_bazel.sh" "$version"
  debian=$once

  # The well-known .proto files come with protoc.
  local pinned=$repository/third_party/protoc/requirements.txt
  once protos "$steps/wheel.sh" "$pinned" -- \
    "$steps/wheel.sh" "$pinned" protoc/data/include
  protos=$once

  mapfile -t stubs < <(find "$steps/modules" -type f | sort)
  once modules "$steps/modules.sh" "${stubs[@]}" -- \
    env GO="$go" "$steps/modules.sh" "$debian" "$protos"
  modules=$once

  once registry "$steps/registry.py" "$repository/MODULE.bazel" -- \
    python3 "$steps/registry.py" "$repository/MODULE.bazel" "$debian" "$modules"
  options+=(--bazelrc="$once/bazelrc")
  bazel=$debian/bin/bazel
}
