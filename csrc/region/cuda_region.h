// A rank's symmetric region in GPU memory, for ranks of one host whose GPUs reach each other.
//
// Ranks may be processes or threads of one, on GPUs of their own or on the same one. The memory
// belongs to the process: the driver frees it however the process ends.
#ifndef CSRC_REGION_CUDA_REGION_H_
#define CSRC_REGION_CUDA_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/region/cuda_blob.h"
#include "csrc/region/region.h"

namespace ep {

// A peer's region at an address of this process, for the GPU of the region that mapped it.
class CudaMapping {
 public:
  CudaMapping() = default;
  CudaMapping(CudaMapping&& other) noexcept;
  CudaMapping& operator=(CudaMapping&& other) noexcept;
  ~CudaMapping();

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  friend class CudaRegion;
  CudaMapping(uint8_t* data, size_t size, bool opened);

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool opened_ = false;  // through a handle, not the address that its owner uses
};

class CudaRegion final : public Region {
 public:
  // Allocates zeroed memory on the thread's current GPU.
  static Result<std::unique_ptr<CudaRegion>> Create(size_t bytes);

  CudaRegion(const CudaRegion&) = delete;
  CudaRegion& operator=(const CudaRegion&) = delete;
  // CUDA leaves open what becomes of a peer's mapping: all peers must have closed theirs.
  ~CudaRegion() override;

  uint8_t* data() const override { return data_; }
  size_t size() const override { return blob_.bytes; }

  std::vector<uint8_t> Blob() const override { return blob_.Encode(); }
  // Keeps all peers' regions mapped.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override;
  Status Disconnect() override {
    peers_.clear();
    return {};
  }

  // Makes the region that `blob` describes, which must have this region's size, accessible to
  // this region's GPU, and that GPU the thread's current one. `rank` names the owner in errors.
  Result<CudaMapping> Map(std::span<const uint8_t> blob, uint32_t rank) const;

 private:
  CudaRegion(uint8_t* data, int device);

  Status Describe(size_t bytes);

  uint8_t* const data_;
  const int device_;
  CudaBlob blob_ = {};
  std::vector<CudaMapping> peers_;
};

}  // namespace ep

#endif  // CSRC_REGION_CUDA_REGION_H_
