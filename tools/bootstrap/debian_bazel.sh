#!/bin/bash
# Makes a private Bazel from Debian packages: debian_bazel.sh VERSION DEST
#
# Unpacks Bazel with the libraries and the JDK it runs on below DEST/root and leaves
# DEST/bin/bazel. Nothing is installed on the machine. The packages come from the mirror
# that the machine itself uses and are checked against Debian's signed Release file; the
# suite is a newer one than the machine's because older ones have no Bazel 7.
set -euo pipefail
version=$1 dest=$2
suite=forky
root=$dest/root apt=$dest/apt
fail() { echo "debian_bazel: $*" >&2; exit 1; }

mirror=$({ sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
  sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\).*/\2/p' /etc/apt/sources.list; } 2>/dev/null |
  grep -v -e security | head -1) || true
[ -n "$mirror" ] || fail "no Debian mirror in /etc/apt; put a Bazel $version on PATH instead"

mkdir -p "$apt"/{lists/partial,cache/archives/partial,etc/preferences.d,debs} "$root"
: > "$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
  > "$apt/etc/sources.list"
# Valid-Until is not checked: a mirror of a suite that still moves may lag behind.
options=(-q -o Dir::Etc="$apt/etc" -o Dir::Etc::sourcelist="$apt/etc/sources.list"
  -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
  -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status"
  -o Dir::Cache="$apt/cache" -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
  -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Debug::NoLocking=1
  -o APT::Architecture=amd64 -o APT::Install-Recommends=false)
apt-get "${options[@]}" update
apt-get "${options[@]}" -s install bazel-bootstrap bazel-rules-shell > "$apt/plan"

offered=$(awk '$1 == "Inst" && $2 == "bazel-bootstrap" {print $3}' "$apt/plan" | tr -d '(')
case $offered in
  "$version"[-+]*) ;;
  *) fail "$suite has Bazel '$offered', not $version; put a Bazel $version on PATH instead" ;;
esac

# Bazel's package depends on a whole compiler, a JDK for developers and more. Only what its
# client, its server and its helper programs load is wanted here.
unwanted='(gcc|g\+\+|cpp|binutils|perl|libperl|python3|libpython|libjs-|node-|openssl|libpam'
unwanted+='|ca-certificates|default-j|lib(asan|tsan|ubsan|lsan|hwasan|itm|quadmath|isl|mpc|mpfr'
unwanted+='|gmp|gprofng|binutils|ctf|sframe|cc1-|gomp|atomic|dpkg-perl|gcc-[0-9]+-dev'
unwanted+='|stdc\+\+-[0-9]+-dev)).*|build-essential|dpkg-dev|make|patch|libc6-dev|libc-dev-bin'
unwanted+='|libcrypt-dev|linux-libc-dev|zlib1g-dev|openjdk-[0-9]+-jdk-headless|debconf|util-linux'
unwanted+='|tzdata|unzip|bzip2|xz-utils'
awk '$1 == "Inst" {print $2}' "$apt/plan" | grep -vxE "$unwanted" > "$apt/wanted"
echo googletest >> "$apt/wanted" # sources, for tools/bootstrap/modules.sh
(cd "$apt/debs" && xargs apt-get "${options[@]}" download < "$apt/wanted")
for deb in "$apt"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
done
rm -rf "$apt"

# Programs of the private root get its own loader and libraries, so that they run beside an
# older C library without any environment variable.
libraries=$root/usr/lib/x86_64-linux-gnu
relocate() { # relocate EXTRA_RPATH FILE...
  local extra=$1 file
  shift
  for file in "$@"; do
    [ "$(head -c 4 "$file" | tr -d '\0')" = $'\x7fELF' ] || continue
    patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath \
      --set-rpath "$extra$libraries" "$file"
  done
}
java=$(find "$root/usr/lib/jvm" -maxdepth 1 -type d -name 'java-*-openjdk-amd64')
relocate '' "$root/usr/bin/bazel" "$root"/usr/libexec/x86_64-linux-gnu/bazel/*
# shellcheck disable=SC2016 # $ORIGIN is for the loader.
relocate '$ORIGIN:$ORIGIN/../lib:' "$java/bin/java"
# shellcheck disable=SC2016
relocate '$ORIGIN:' "$java/lib/jspawnhelper"

# The JDK's and Bazel's links into /etc and /usr must lead into the root.
share=$root/usr/share/bazel
find "$root/usr/lib/jvm" "$share" -type l -lname '/*' | while read -r link; do
  ln -sfn "$root$(readlink "$link")" "$link"
done

# Debian's Bazel runs on Debian's jars, which name further jars in their manifests.
mkdir -p "$dest/label" "$dest/bin"
python3 "$(dirname "$0")/classpath.py" "$root" "$share/bazel_classpath_debian_depends.txt"
# The server's jar has no build label: without one it takes itself for a development version.
echo "build.label=$version" > "$dest/label/build-data.properties"
echo "$dest/label" >> "$share/bazel_classpath_debian_depends.txt"

cat > "$dest/bin/bazel" <<WRAPPER
#!/bin/sh
exec "$root/usr/bin/bazel" --install_base="$share" --trust_install_base --server_javabase="$java" \\
  --host_jvm_args=--enable-native-access=ALL-UNNAMED "\$@"
WRAPPER
chmod +x "$dest/bin/bazel"
