// The least that a link can cost on one host: a copy into the peer's mapped region, then a store.
#ifndef CSRC_TRANSPORT_BENCHMARK_SHARED_LINK_H_
#define CSRC_TRANSPORT_BENCHMARK_SHARED_LINK_H_

#include <atomic>
#include <cstring>
#include <memory>
#include <utility>

#include "csrc/base/mapping.h"
#include "csrc/transport/link.h"
#include "csrc/transport/shm_region.h"

namespace ep {

// Between two ranks.
class SharedLink final : public Link {
 public:
  static Status Create(const LinkConfig& config, std::unique_ptr<Link>* link) {
    std::unique_ptr<SharedLink> made(new SharedLink);
    made->rank_ = config.rank;
    Status status = ShmRegion::Create(config.region_bytes, &made->region_);
    if (status.ok()) status = Mapping::Private(config.region_bytes, "an image", &made->image_);
    if (status.ok()) *link = std::move(made);
    return status;
  }

  std::vector<uint8_t> Blob() const override { return region_->Blob(); }
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs) override {
    return region_->Map(blobs[1 - rank_], 1 - rank_, &peer_);
  }
  uint8_t* region() override { return region_->data(); }
  uint8_t* image(uint32_t) override { return image_.data(); }
  void Send(uint32_t, std::span<const Extent> extents, std::span<const RaisedWord> words) override {
    for (const Extent& extent : extents) {
      std::memcpy(peer_.data() + extent.offset, image_.data() + extent.offset, extent.bytes);
    }
    for (const RaisedWord& word : words) {
      std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(peer_.data() + word.offset))
          .store(word.value, std::memory_order_release);
    }
  }
  void Progress() override {}
  bool Idle() override { return true; }
  Status Failure(uint32_t*) override { return {}; }

 private:
  SharedLink() = default;

  uint32_t rank_ = 0;
  std::unique_ptr<ShmRegion> region_;
  Mapping image_;
  Mapping peer_;
};

}  // namespace ep

#endif  // CSRC_TRANSPORT_BENCHMARK_SHARED_LINK_H_
