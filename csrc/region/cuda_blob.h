// What a rank tells its peers of its region in GPU memory.
#ifndef CSRC_REGION_CUDA_BLOB_H_
#define CSRC_REGION_CUDA_BLOB_H_

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "csrc/base/status.h"

namespace ep {

// Both ends are the same binary on the same host, so plain bytes will do.
struct CudaBlob {
  cudaIpcMemHandle_t handle;
  uint64_t bytes;
  // Where the region lies in its own process. CUDA refuses to open a handle where it was made.
  uint64_t address;
  // Together they are that process: a number alone may be another's in a container, and a child
  // would share the random part.
  uint64_t process_random;
  uint64_t pid;
  std::array<uint8_t, 16> gpu;  // its UUID

  std::vector<uint8_t> Encode() const {
    std::vector<uint8_t> encoded(sizeof(*this));
    std::memcpy(encoded.data(), this, sizeof(*this));
    return encoded;
  }

  // Reads a blob that must describe a region of `region_bytes`. `owner` names it in errors.
  static Status Decode(std::span<const uint8_t> encoded, uint64_t region_bytes,
                       const std::string& owner, CudaBlob* blob) {
    if (encoded.size() != sizeof(*blob)) {
      return {Code::kInvalid, "map " + owner + ": its blob has " + std::to_string(encoded.size()) +
                                  " bytes, not " + std::to_string(sizeof(*blob))};
    }
    std::memcpy(blob, encoded.data(), sizeof(*blob));
    if (blob->bytes != region_bytes) {
      return {Code::kProtocol, "map " + owner + ": it has " + std::to_string(blob->bytes) +
                                   " bytes, ours " + std::to_string(region_bytes) +
                                   "; do all ranks run the same plan?"};
    }
    return {};
  }
};
static_assert(std::has_unique_object_representations_v<CudaBlob>,
              "padding would send bytes that nobody wrote");

}  // namespace ep

#endif  // CSRC_REGION_CUDA_BLOB_H_
