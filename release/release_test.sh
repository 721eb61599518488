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
[ "$(stat -c %s bin/perf)" -le 45000000 ] || fail "bin/perf is above 45 MB"
[ "$(stat -c %s bin/report)" -le 10000000 ] || fail "bin/report is above 10 MB"
bin/perf --num-processes=2 --mode=combine --tokens=16 --iters=3 --warmup=1 --device=cpu --quiet | tee out
grep -q '2/2 ranks passed' out || fail "the main job fails"
bin/report show epperf-results/*.epperf | grep -q '2/2 ranks passed' || fail "the record cannot be shown"
cd ..
# The image, as a tool that has never heard of us would read it: each blob has the hash that it is called by, and
# what a layer unpacks to the hash that the configuration says.
python3 - <<'PYTHON'
import glob, gzip, hashlib, json, os, tarfile
layout = tarfile.open(glob.glob("*.oci.tar")[0])
assert json.load(layout.extractfile("oci-layout"))["imageLayoutVersion"] == "1.0.0"
blobs = {name: layout.extractfile(name).read() for name in layout.getnames() if name.startswith("blobs/sha256/") and layout.getmember(name).isfile()}
for name, data in blobs.items():
    assert name == "blobs/sha256/" + hashlib.sha256(data).hexdigest(), name
asked = set()
def blob(descriptor):
    name = descriptor["digest"].replace("sha256:", "blobs/sha256/")
    assert len(blobs[name]) == descriptor["size"], name
    asked.add(name)
    return blobs[name]
(described,) = json.load(layout.extractfile("index.json"))["manifests"]
manifest = json.loads(blob(described))
config = json.loads(blob(manifest["config"]))
for descriptor, plain in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
    data = gzip.decompress(blob(descriptor))
    assert plain == "sha256:" + hashlib.sha256(data).hexdigest(), "diff_id of " + descriptor["digest"]
    open("layer", "wb").write(data)
    with tarfile.open("layer") as layer:
        layer.extractall("root", members=[m for m in layer if m.name != "tmp"])
assert asked == set(blobs), "blobs of nothing"
assert (config["os"], config["architecture"]) == ("linux", "amd64"), config
assert config["config"]["User"].split(":")[0] not in ("", "0", "root"), "the image runs as root"
assert os.path.isfile("root" + config["config"]["Entrypoint"][0]), "no entrypoint"
PYTHON
for name in perf report; do
  cmp "root/opt/epperf/bin/$name" epperf-*/bin/$name || fail "the image has another $name"
done
# By its own loader, with no library but its own.
root/lib64/ld-linux-x86-64.so.2 --inhibit-cache --library-path root/usr/lib root/opt/epperf/bin/perf --version || fail "the image's perf does not start"
for name in glibc libstdc++; do
  [ -s root/usr/share/doc/$name.copyright ] || fail "the image has no licence of $name"
done
python3 - <<'PYTHON'
import glob, json, hashlib
spdx, cdx, intoto = (json.load(open(glob.glob("*." + kind)[0])) for kind in ("spdx.json", "cdx.json", "intoto.json"))
sha256 = hashlib.sha256(open(glob.glob("*.tar.gz")[0], "rb").read()).hexdigest()
assert intoto["subject"][0]["digest"]["sha256"] == sha256, "provenance is of another archive"
image = hashlib.sha256(open(glob.glob("*.oci.tar")[0], "rb").read()).hexdigest()
assert intoto["subject"][1]["digest"]["sha256"] == image, "provenance is of another image"
assert spdx["packages"][1]["checksums"][0]["checksumValue"] == image, "SPDX is of another image"
assert spdx["packages"][0]["checksums"][0]["checksumValue"] == sha256, "SPDX is of another archive"
purls = {c["purl"] for c in cdx["components"]}
assert purls == {p["externalRefs"][0]["referenceLocator"] for p in spdx["packages"][2:]}, "the two bills differ"
ids = [p["SPDXID"] for p in spdx["packages"]]
assert len(ids) == len(set(ids)), "an SPDXID twice"
linked = [c["purl"] for c in cdx["components"] if c["scope"] == "required"]
for part in ("golang/go.etcd.io/etcd/server/v3@", "golang/google.golang.org/grpc@", "pypi/nvidia-cuda-runtime@", "generic/go@", "generic/glibc@"):
    assert any("pkg:" + part in purl for purl in linked), part
assert not any("goleak" in purl for purl in linked), "what only tests or builds is said to be linked"
print("components:", len(purls), "of which linked in:", len(linked))
PYTHON
