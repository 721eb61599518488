// Memory of the host that GPUs read and write at the same address, zeros.
#ifndef CSRC_REGION_PINNED_H_
#define CSRC_REGION_PINNED_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "csrc/base/status.h"
#include "csrc/region/cuda_status.h"

namespace ep {

class PinnedBytes {
 public:
  PinnedBytes() = default;
  PinnedBytes(PinnedBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PinnedBytes& operator=(PinnedBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PinnedBytes() { cudaFreeHost(data_); }

  // `what` names it in the error. The caller's CPU is the one that it lies at.
  static Status Allocate(size_t bytes, const std::string& what, PinnedBytes* memory) {
    PinnedBytes made;
    EP_TRY(CudaStatus(cudaHostAlloc(reinterpret_cast<void**>(&made.data_), bytes,
                                    cudaHostAllocPortable | cudaHostAllocMapped),
                      "allocate " + std::to_string(bytes) + " bytes of pinned memory for " + what));
    made.size_ = bytes;
    std::memset(made.data_, 0, bytes);
    *memory = std::move(made);
    return {};
  }

  template <class T = uint8_t>
  T* As() const {
    return reinterpret_cast<T*>(data_);
  }
  size_t size() const { return size_; }
  // Nobody frees it any more.
  void Leave() { data_ = nullptr; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ep

#endif  // CSRC_REGION_PINNED_H_
