// Memory of a GPU, events on its streams and what else of CUDA has an owner.
#ifndef CSRC_RANK_CUDA_MEMORY_H_
#define CSRC_RANK_CUDA_MEMORY_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "csrc/base/status.h"
#include "csrc/region/cuda_status.h"
#include "csrc/region/pinned.h"

namespace ep {

// Zeroed memory of the GPU that was current when it was made.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(DeviceMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~DeviceMemory() { cudaFree(data_); }

  // `what` names it in the error.
  static Status Allocate(size_t bytes, const std::string& what, DeviceMemory* memory) {
    DeviceMemory made;
    const std::string doing =
        "allocate " + std::to_string(bytes) + " bytes of the GPU's memory for " + what;
    EP_TRY(CudaStatus(cudaMalloc(reinterpret_cast<void**>(&made.data_), bytes), doing));
    made.bytes_ = bytes;
    EP_TRY(CudaStatus(cudaMemset(made.data_, 0, bytes), doing));
    // It is cleared when the GPU gets there, and streams that do not block do not wait for that.
    EP_TRY(CudaStatus(cudaStreamSynchronize(cudaStreamLegacy), doing));
    *memory = std::move(made);
    return {};
  }

  template <class T = uint8_t>
  T* As() const {
    return reinterpret_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

// Something of CUDA that a function destroys.
template <class Handle, cudaError_t (*Destroy)(Handle)>
class CudaOwned {
 public:
  CudaOwned() = default;
  CudaOwned(CudaOwned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  CudaOwned& operator=(CudaOwned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~CudaOwned() {
    if (handle_ != nullptr) Destroy(handle_);
  }

  Handle get() const { return handle_; }
  // For the call that makes it.
  Handle* out() { return &handle_; }

 private:
  Handle handle_ = nullptr;
};

using CudaStream = CudaOwned<cudaStream_t, cudaStreamDestroy>;
using CudaEvent = CudaOwned<cudaEvent_t, cudaEventDestroy>;
using CudaGraph = CudaOwned<cudaGraph_t, cudaGraphDestroy>;
using CudaGraphExec = CudaOwned<cudaGraphExec_t, cudaGraphExecDestroy>;
using CudaLibrary = CudaOwned<cudaLibrary_t, cudaLibraryUnload>;

// A value in memory of the host that GPUs see at the same address.
template <class T>
class PinnedHost {
 public:
  Status Allocate(const std::string& what) {
    EP_TRY(PinnedBytes::Allocate(sizeof(T), what, &bytes_));
    *get() = T{};
    return {};
  }
  T* operator->() const { return get(); }
  T* get() const { return bytes_.As<T>(); }

 private:
  PinnedBytes bytes_;
};

}  // namespace ep

#endif  // CSRC_RANK_CUDA_MEMORY_H_
