"""The C library that programs are linked with, as files: what an image has below them."""

load("@rules_cc//cc:find_cc_toolchain.bzl", "find_cc_toolchain", "use_cc_toolchain")
load("@rules_cc//cc/common:cc_common.bzl", "cc_common")

_ACTION = "c++-link-executable"

# Where distributions keep the texts: Debian, Fedora, Arch.
_COPY = """
set -euo pipefail
compiler=$1 out=$2
shift 2
for name in "$@"; do
  found=$("$compiler" -print-file-name="$name")
  [ "$found" != "$name" ] || { echo "$compiler knows no $name" >&2; exit 1; }
  cp -L "$found" "$out/$name"
done
say() { # say NAME VERSION FOLDER...: which version it is, and its licence
  [ -n "$2" ] || { echo "no version of $1 in its library" >&2; exit 1; }
  echo "$1 $2" >> "$out/versions"
  local name=$1 folder file
  shift 2
  for folder in "$@"; do
    for file in "$folder"/{copyright,LICENSES,RUNTIME.LIBRARY.EXCEPTION}; do
      [ ! -e "$file" ] || { cp -L "$file" "$out/$name.copyright" && return; }
    done
  done
  echo "no licence of $name in $*: an image must have it" >&2
  exit 1
}
say glibc "$(grep -ao 'stable release version [0-9.]*[0-9]' "$out/libc.so.6" | sed 's/.* //')" \
  /usr/share/{doc/libc6,licenses/glibc}
say libstdc++ "$(readlink -f "$("$compiler" -print-file-name=libstdc++.so.6)" | sed 's/.*[.]so[.]//')" \
  /usr/share/{doc/libstdc++6,licenses/libgcc,licenses/gcc-libs}
"""

CLibrariesInfo = provider(
    "What of a C library an image needs.",
    fields = {
        "copyrights": "List of files: NAME.copyright.",
        "libraries": "List of files: the shared libraries, with the loader.",
        "versions": "File with a line NAME VERSION for each of them that is somebody's work of its own.",
    },
)

def _c_libraries_impl(ctx):
    toolchain = find_cc_toolchain(ctx)
    features = cc_common.configure_features(ctx = ctx, cc_toolchain = toolchain)
    compiler = cc_common.get_tool_for_action(feature_configuration = features, action_name = _ACTION)

    def declare(name):
        return ctx.actions.declare_file(ctx.label.name + "/" + name)

    info = CLibrariesInfo(
        copyrights = [declare("glibc.copyright"), declare("libstdc++.copyright")],
        libraries = [declare(name) for name in ctx.attr.names],
        versions = declare("versions"),
    )
    ctx.actions.run_shell(
        command = _COPY,
        arguments = [compiler, info.versions.dirname] + ctx.attr.names,
        inputs = toolchain.all_files,
        outputs = info.libraries + info.copyrights + [info.versions],
        mnemonic = "CLibraries",
        progress_message = "Copying the C library for %{label}",
    )
    return [info, DefaultInfo(files = depset(info.libraries))]

c_libraries = rule(
    implementation = _c_libraries_impl,
    attrs = {"names": attr.string_list(mandatory = True, doc = "As loaders call them.")},
    toolchains = use_cc_toolchain(),
    fragments = ["cpp"],
)
