// A rank's symmetric region in shared memory, for ranks of one host.
//
// The memory is an unlinked memfd: it has no name that could outlive its processes, and the
// kernel frees it with the last of them, however they end.
#ifndef CSRC_REGION_SHM_REGION_H_
#define CSRC_REGION_SHM_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "csrc/base/fd.h"
#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/region/region.h"

namespace ep {

class ShmRegion final : public Region {
 public:
  static Result<std::unique_ptr<ShmRegion>> Create(size_t bytes);

  uint8_t* data() const override { return memory_.data(); }
  size_t size() const override { return memory_.size(); }

  // What a peer of the same user and PID namespace needs for Connect: another process, or a thread
  // of this one, which uses the region where it is.
  std::vector<uint8_t> Blob() const override { return blob_; }
  // Maps the peers' regions, which must have this region's size.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override;
  // Maps one peer's region by its blob.
  Result<uint8_t*> Map(std::span<const uint8_t> blob, uint32_t rank);
  Status Disconnect() override {
    peers_.clear();
    return {};
  }

 private:
  ShmRegion(Fd fd, Mapping memory, std::vector<uint8_t> blob)
      : fd_(std::move(fd)), memory_(std::move(memory)), blob_(std::move(blob)) {}

  Fd fd_;
  Mapping memory_;
  std::vector<uint8_t> blob_;
  std::vector<Mapping> peers_;
};

}  // namespace ep

#endif  // CSRC_REGION_SHM_REGION_H_
