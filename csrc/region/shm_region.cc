#include "csrc/region/shm_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace ep {
namespace {

// A process as /proc names it. A number means another process in another PID namespace, and so it
// does where /proc is that of a namespace further out.
struct Process {
  uint32_t pid;    // in /proc
  uint32_t depth;  // of its own namespace below that of /proc
  uint64_t pid_namespace;
  bool operator==(const Process&) const = default;
};

// Both ends are the same binary on the same host, so plain bytes will do.
struct ShmBlob {
  Process process;
  uint64_t bytes;
  uint64_t address;  // in its own process
  uint64_t device, inode;
  uint64_t fd;
};

// Counts the numbers that a process has in the namespaces from that of /proc to its own.
uint32_t NumbersOfSelf() {
  std::FILE* const status = std::fopen("/proc/self/status", "re");
  if (status == nullptr) return 0;
  uint32_t numbers = 0;
  for (char line[512]; std::fgets(line, sizeof(line), status) != nullptr;) {
    if (std::strncmp(line, "NSpid:", 6) != 0) continue;
    for (const char* c = line + 6; *c != '\0'; ++c) numbers += *c == '\t' ? 1 : 0;
  }
  std::fclose(status);
  return numbers;
}

Result<Process> Self() {
  Process self = {};
  char number[32];
  const ssize_t length = readlink("/proc/self", number, sizeof(number));
  struct stat stat;
  if (length < 0 || ::stat("/proc/self/ns/pid", &stat) != 0) {
    return Status::FromErrno("share a region: look for this process in /proc");
  }
  std::from_chars(number, number + length, self.pid);
  self.depth = NumbersOfSelf();
  self.pid_namespace = stat.st_ino;
  return self;
}

// Pages of shared memory lie where the policy of whoever writes them first says, and peers may be
// that. So they get the owner's, where it has one. It is no error if the kernel does not know such
// a thing.
void PlaceByOwner(void* memory, size_t bytes) {
  int mode = 0;
  uint64_t nodes[16] = {};
  constexpr unsigned long kBits = sizeof(nodes) * 8;
  if (syscall(SYS_get_mempolicy, &mode, nodes, kBits, nullptr, 0) != 0 || mode == 0) return;
  syscall(SYS_mbind, memory, bytes, mode, nodes, kBits, 0);
}

}  // namespace

Result<std::unique_ptr<ShmRegion>> ShmRegion::Create(size_t bytes) {
  Fd fd(memfd_create("epperf-region", MFD_CLOEXEC));
  if (!fd.ok()) return Status::FromErrno("create a shared region");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return Status::FromErrno("size a shared region to " + std::to_string(bytes) + " bytes");
  }
  Mapping memory;
  EP_TRY(Mapping::Shared(fd.get(), bytes, "a shared region", &memory));
  PlaceByOwner(memory.data(), bytes);
  struct stat stat;
  if (fstat(fd.get(), &stat) != 0) return Status::FromErrno("examine a shared region");
  const ShmBlob blob = {
      .process = EP_TRY(Self()),
      .bytes = bytes,
      .address = reinterpret_cast<uintptr_t>(memory.data()),
      .device = stat.st_dev,
      .inode = stat.st_ino,
      .fd = static_cast<uint64_t>(fd.get()),
  };
  std::vector<uint8_t> encoded(sizeof(blob));
  std::memcpy(encoded.data(), &blob, sizeof(blob));
  return std::unique_ptr<ShmRegion>(
      new ShmRegion(std::move(fd), std::move(memory), std::move(encoded)));
}

Status ShmRegion::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                          std::vector<Reach>* reached) {
  reached->assign(blobs.size(), {Reached::kOwn, data()});
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
    if (peer == rank) continue;
    (*reached)[peer] = {Reached::kMapped, EP_TRY(Map(blobs[peer], peer))};
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
  ShmBlob own;
  std::memcpy(&blob, bytes.data(), sizeof(blob));
  std::memcpy(&own, blob_.data(), sizeof(own));
  const auto mismatch = [&](uint64_t has) -> Status {
    return {Code::kProtocol, "map " + owner + ": it has " + std::to_string(has) + " bytes, ours " +
                                 std::to_string(size()) + "; do all ranks run the same plan?"};
  };
  if (blob.process.pid_namespace != own.process.pid_namespace ||
      blob.process.depth != own.process.depth) {
    return {Code::kInvalid,
            "map " + owner + ": it is in another PID namespace (" +
                std::to_string(blob.process.pid_namespace) + ", here " +
                std::to_string(own.process.pid_namespace) + "), or sees another's /proc",
            EP_HINT_SHARE_PIDS};
  }
  if (blob.process == own.process) {
    if (blob.bytes != size()) return mismatch(blob.bytes);
    return reinterpret_cast<uint8_t*>(blob.address);
  }
  const std::string pid = std::to_string(blob.process.pid);
  const std::string path = "/proc/" + pid + "/fd/" + std::to_string(blob.fd);
  const std::string ended = " (has process " + pid + " ended?)";
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.ok()) return Status::FromErrno("open " + owner + " at " + path + ended);
  struct stat stat;
  if (fstat(fd.get(), &stat) != 0) return Status::FromErrno("examine " + owner);
  if (stat.st_dev != blob.device || stat.st_ino != blob.inode) {
    return {Code::kProtocol, "map " + owner + ": " + path + " is another file" + ended};
  }
  // A shorter file would raise SIGBUS at the first access beyond its end.
  if (blob.bytes != size() || static_cast<uint64_t>(stat.st_size) != size()) {
    return mismatch(static_cast<uint64_t>(stat.st_size));
  }
  EP_TRY(Mapping::Shared(fd.get(), size(), owner, &peers_.emplace_back()));
  return peers_.back().data();
}

}  // namespace ep
