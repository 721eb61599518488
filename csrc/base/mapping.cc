#include "csrc/base/mapping.h"

#include <sys/mman.h>

#include <utility>

namespace ep {
namespace {

Status Map(size_t bytes, int flags, int fd, const std::string& what, uint8_t** data) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) {
    return Status::FromErrno("map " + std::to_string(bytes) + " bytes of " + what);
  }
  *data = static_cast<uint8_t*>(at);
  return {};
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, size_);
}

Status Mapping::Private(size_t bytes, const std::string& what, Mapping* mapping) {
  Mapping made;
  made.size_ = bytes;
  EP_TRY(Map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, what, &made.data_));
  *mapping = std::move(made);
  return {};
}

Status Mapping::Shared(int fd, size_t bytes, const std::string& what, Mapping* mapping) {
  Mapping made;
  made.size_ = bytes;
  EP_TRY(Map(bytes, MAP_SHARED, fd, what, &made.data_));
  *mapping = std::move(made);
  return {};
}

}  // namespace ep
