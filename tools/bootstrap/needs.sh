# shellcheck shell=bash disable=SC2154 # the variables are those of tools/bazelw
# Programs of Debian packages that the build, and long tests, take from the machine; sourced by
# tools/bazelw and tools/long_tests.

missing_packages() { # missing_packages PACKAGE...: prints those whose program is not there
  local package
  for package in "$@"; do
    case $package in
      python3-pip) python3 -c 'import pip' 2> /dev/null || echo "$package" ;;
      etcd-server) command -v etcd > /dev/null || echo "$package" ;;
      iproute2) command -v ip > /dev/null || echo "$package" ;;
      slurm-wlm) command -v slurmctld > /dev/null || echo "$package" ;;
      *) command -v "$package" > /dev/null || echo "$package" ;;
    esac
  done
}

# Installs those of the packages that are missing, or says how to.
need_packages() {
  local missing log=$cache/apt.log seconds=$SECONDS
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  local install=(apt-get install -y --no-install-recommends "${missing[@]}")
  command -v apt-get > /dev/null || die "please install ${missing[*]}: not found on PATH"
  [ "$(id -u)" = 0 ] || die "something is missing; please run: sudo apt-get update && sudo ${install[*]}"
  say "installing by apt-get: ${missing[*]}"
  (
    flock 9
    apt-get -q update &&
      DEBIAN_FRONTEND=noninteractive "${install[@]}" -q -o DPkg::Lock::Timeout=300
  ) > "$log" 2>&1 < /dev/null 9> "$cache/apt.lock" || {
    tail -15 "$log" >&2
    die "'${install[*]}' went wrong; $log has all it said"
  }
  say "installed in $((SECONDS - seconds)) s"
}
