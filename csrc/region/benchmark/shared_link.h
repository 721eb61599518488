// The least that a link can cost on one host: a copy into the peer's mapped region, then a store.
#ifndef CSRC_REGION_BENCHMARK_SHARED_LINK_H_
#define CSRC_REGION_BENCHMARK_SHARED_LINK_H_

#include <atomic>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/region/link.h"
#include "csrc/region/shm_region.h"

namespace ep {

// Between two ranks.
class SharedLink final : public Region, public Link {
 public:
  static Result<std::unique_ptr<SharedLink>> Create(const RegionConfig& config) {
    std::unique_ptr<SharedLink> made(new SharedLink);
    made->region_ = EP_TRY(ShmRegion::Create(config.bytes));
    EP_TRY(Mapping::Private(config.bytes, "an image", &made->image_));
    return made;
  }

  uint8_t* data() const override { return region_->data(); }
  size_t size() const override { return region_->size(); }
  std::vector<uint8_t> Blob() const override { return region_->Blob(); }
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override {
    EP_TRY(region_->Connect(blobs, rank, reached));
    Reach& peer = (*reached)[1 - rank];
    peer_ = peer.region;
    peer = {Reached::kProxied, nullptr, image_.data(), data()};
    return {};
  }
  Link* link() override { return this; }

  void Send(uint32_t, std::span<const Extent> extents, std::span<const RaisedWord> words) override {
    for (const Extent& extent : extents) {
      std::memcpy(peer_ + extent.offset, image_.data() + extent.offset, extent.bytes);
    }
    for (const RaisedWord& word : words) {
      std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(peer_ + word.offset))
          .store(word.value, std::memory_order_release);
    }
  }
  void Progress() override {}
  bool Idle() override { return true; }
  Status Failure(uint32_t*) override { return {}; }

 private:
  SharedLink() = default;

  std::unique_ptr<ShmRegion> region_;
  Mapping image_;
  uint8_t* peer_ = nullptr;
};

}  // namespace ep

#endif  // CSRC_REGION_BENCHMARK_SHARED_LINK_H_
