#include "csrc/region/shm_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

namespace ep {
namespace {

// Both ends are the same binary on the same host, so plain bytes will do.
struct ShmBlob {
  uint32_t pid;
  uint32_t fd;
  uint64_t bytes;
  uint64_t address;  // in its own process
};

}  // namespace

Result<std::unique_ptr<ShmRegion>> ShmRegion::Create(size_t bytes) {
  Fd fd(memfd_create("epperf-region", MFD_CLOEXEC));
  if (!fd.ok()) return Status::FromErrno("create a shared region");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return Status::FromErrno("size a shared region to " + std::to_string(bytes) + " bytes");
  }
  Mapping memory;
  EP_TRY(Mapping::Shared(fd.get(), bytes, "a shared region", &memory));
  return std::unique_ptr<ShmRegion>(new ShmRegion(std::move(fd), std::move(memory)));
}

std::vector<uint8_t> ShmRegion::Blob() const {
  const ShmBlob blob = {static_cast<uint32_t>(getpid()), static_cast<uint32_t>(fd_.get()), size(),
                        reinterpret_cast<uintptr_t>(data())};
  std::vector<uint8_t> bytes(sizeof(blob));
  std::memcpy(bytes.data(), &blob, sizeof(blob));
  return bytes;
}

Status ShmRegion::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                          std::vector<Reach>* reached) {
  reached->assign(blobs.size(), {Reached::kOwn, data(), data(), data()});
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
    if (peer == rank) continue;
    uint8_t* const region = EP_TRY(Map(blobs[peer], peer));
    (*reached)[peer] = {Reached::kMapped, region, region, data()};
  }
  return {};
}

Result<uint8_t*> ShmRegion::Map(std::span<const uint8_t> bytes, uint32_t rank) {
  const std::string owner = "the region of rank " + std::to_string(rank);
  ShmBlob blob;
  if (bytes.size() != sizeof(blob)) {
    return {Code::kInvalid, "map " + owner + ": its blob has " + std::to_string(bytes.size()) +
                                " bytes, not " + std::to_string(sizeof(blob))};
  }
  std::memcpy(&blob, bytes.data(), sizeof(blob));
  const auto mismatch = [&](uint64_t has) -> Status {
    return {Code::kProtocol, "map " + owner + ": it has " + std::to_string(has) + " bytes, ours " +
                                 std::to_string(size()) + "; do all ranks run the same plan?"};
  };
  if (blob.pid == static_cast<uint32_t>(getpid())) {
    if (blob.bytes != size()) return mismatch(blob.bytes);
    return reinterpret_cast<uint8_t*>(blob.address);
  }
  const std::string path = "/proc/" + std::to_string(blob.pid) + "/fd/" + std::to_string(blob.fd);
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.ok()) {
    return Status::FromErrno("open " + owner + " at " + path + " (has process " +
                             std::to_string(blob.pid) + " ended?)");
  }
  struct stat stat;
  if (fstat(fd.get(), &stat) != 0) return Status::FromErrno("examine " + owner);
  // A shorter file would raise SIGBUS at the first access beyond its end.
  if (blob.bytes != size() || static_cast<uint64_t>(stat.st_size) != size()) {
    return mismatch(static_cast<uint64_t>(stat.st_size));
  }
  EP_TRY(Mapping::Shared(fd.get(), size(), owner, &peers_.emplace_back()));
  return peers_.back().data();
}

}  // namespace ep
