#!/bin/bash
# Unpacks a release and does with it what a user would: release_test.sh FILE...
set -euo pipefail
fail() { echo "release_test: $*" >&2; exit 1; }
for file in "$@"; do cp -L "$file" "$TEST_TMPDIR"; done
cd "$TEST_TMPDIR"
sha256sum --check --quiet SHA256SUMS || fail "SHA256SUMS is wrong"
[ "$(wc -l < SHA256SUMS)" = $(($# - 1)) ] || fail "SHA256SUMS leaves something out"
archive=$(ls ./*.tar.gz)
# Whoever builds, under whatever umask: root's, and readable by all.
owners=$(tar tvzf "$archive" --numeric-owner | awk '{print $1, $2}' | sort -u | sed 's/^[d-]//' | sort -u | tr '\n' ' ')
[ "$owners" = 'rw-r--r-- 0/0 rwxr-xr-x 0/0 ' ] || fail "owners and modes are $owners"
! tar tzf "$archive" | grep -iE '\.so|nixl-|ucx' || fail "NIXL is shipped"
(umask 077 && tar xzf "$archive")
cd epperf-*/
for file in LICENSE README.md docs/method.md docs/results/2x-h100.md examples/read_record.py lib/fetch_nixl lib/nixl.txt \
  licences/go/LICENSE licences/go/google.golang.org/grpc/LICENSE licences/nvidia_cuda_runtime; do
  [ -e "$file" ] || fail "no $file in the archive"
done
[ "$(stat -c %s bin/perf)" -le 46000000 ] || fail "bin/perf is above 46 MB"
[ "$(stat -c %s bin/report)" -le 10000000 ] || fail "bin/report is above 10 MB"
bin/perf --num-processes=2 --mode=combine --tokens=16 --iters=3 --warmup=1 --device=cpu --quiet | tee out
grep -q '2/2 ranks passed' out || fail "the main job fails"
bin/report show epperf-results/*.epperf | grep -q '2/2 ranks passed' || fail "the record cannot be shown"
cd ..
python3 - <<'PYTHON'
import glob, json, hashlib
spdx, cdx, intoto = (json.load(open(glob.glob("*." + kind)[0])) for kind in ("spdx.json", "cdx.json", "intoto.json"))
sha256 = hashlib.sha256(open(glob.glob("*.tar.gz")[0], "rb").read()).hexdigest()
assert intoto["subject"][0]["digest"]["sha256"] == sha256, "provenance is of another archive"
assert spdx["packages"][0]["checksums"][0]["checksumValue"] == sha256, "SPDX is of another archive"
purls = {c["purl"] for c in cdx["components"]}
assert purls == {p["externalRefs"][0]["referenceLocator"] for p in spdx["packages"][1:]}, "the two bills differ"
ids = [p["SPDXID"] for p in spdx["packages"]]
assert len(ids) == len(set(ids)), "an SPDXID twice"
linked = [c["purl"] for c in cdx["components"] if c["scope"] == "required"]
for part in ("golang/go.etcd.io/etcd/server/v3@", "golang/google.golang.org/grpc@", "pypi/nvidia-cuda-runtime@", "generic/go@"):
    assert any("pkg:" + part in purl for purl in linked), part
assert not any("goleak" in purl for purl in linked), "what only tests or builds is said to be linked"
print("components:", len(purls), "of which linked in:", len(linked))
PYTHON
