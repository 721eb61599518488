// A network in one process, for tests: messages take their time, are read from the sender's memory
// only when they move, and many of them only while the receiver, too, looks after the network; all
// as with real ones.
#ifndef CSRC_RANK_POSTING_TEST_UTIL_H_
#define CSRC_RANK_POSTING_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/protocol/error.h"
#include "csrc/region/region.h"

namespace ep {

// A message on its way.
struct Parcel {
  uint32_t from;
  uint32_t to;
  uint32_t request;
  std::vector<PairExtent> extents;
  Notice notice;
  uint32_t steps;  // calls of Arrivals before it moves
  uint32_t by;     // whose calls: the sender's or the receiver's
};

class TestNetwork {
 public:
  // Which ranks map each other.
  using Maps = std::function<bool(uint32_t, uint32_t)>;

  explicit TestNetwork(
      uint32_t seed, Maps maps = [](uint32_t, uint32_t) { return false; })
      : random_(seed), maps_(std::move(maps)) {}

  // What becomes of a message: by default it arrives, after up to eight calls.
  enum class Fate { kArrives, kIsLost, kNoticeComesAlone, kNeverEnds, kFails };
  std::function<Fate(const Parcel&)> fate = [](const Parcel&) { return Fate::kArrives; };
  // A planted fault: a message takes what the one before it of its request took.
  bool repeats_lists = false;

  std::unique_ptr<Region> MakeRegion(const RegionConfig& config);

 private:
  class End;

  std::mutex mutex_;
  std::minstd_rand random_;
  const Maps maps_;
  std::vector<End*> ends_;
  std::deque<Parcel> under_way_;
};

class TestNetwork::End : public Region, public Wire {
 public:
  End(TestNetwork* network, const RegionConfig& config) : network_(*network), config_(config) {
    Status status = Mapping::Private(config.bytes, "a region", &memory_);
    if (status.ok()) {
      status = Mapping::Private(config.pairs.bytes * config.ranks, "images", &images_);
    }
    if (!status.ok()) std::abort();
  }

  uint8_t* data() const override { return memory_.data(); }
  size_t size() const override { return config_.bytes; }
  std::vector<uint8_t> Blob() const override { return {static_cast<uint8_t>(config_.rank)}; }
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override {
    EXPECT_EQ(rank, config_.rank);
    for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
      if (blobs[peer].size() != 1 || blobs[peer][0] != peer) {
        return {Code::kInvalid, "connect: not the blob of rank " + std::to_string(peer)};
      }
      if (peer == rank) {
        reached->push_back({Reached::kOwn, data()});
      } else if (network_.maps_(rank, peer)) {
        reached->push_back({Reached::kMapped, network_.ends_[peer]->data()});
      } else {
        reached->push_back({Reached::kProxied, nullptr, Image(peer)});
      }
    }
    return {};
  }
  Wire* wire() override { return this; }

  Status Post(uint32_t peer, uint32_t request, std::span<const PairExtent> extents,
              const Notice& notice, bool* done) override {
    EXPECT_FALSE(network_.maps_(config_.rank, peer));
    const std::lock_guard lock(network_.mutex_);
    EXPECT_TRUE(IsOver(peer, request)) << "two at once";
    const auto draw = static_cast<uint32_t>(network_.random_());
    network_.under_way_.push_back({config_.rank,
                                   peer,
                                   request,
                                   {extents.begin(), extents.end()},
                                   notice,
                                   draw % 8,
                                   draw / 8 % 2 == 0 ? config_.rank : peer});
    std::vector<PairExtent>& before = lists_[{peer, request}];
    if (network_.repeats_lists && !before.empty()) {
      network_.under_way_.back().extents = before;
    }
    before.assign(extents.begin(), extents.end());
    *done = false;
    return {};
  }
  Status Poll(uint32_t peer, uint32_t request, bool* done) override {
    const std::lock_guard lock(network_.mutex_);
    if (failed_) return {Code::kSystem, "the cable is cut"};
    *done = IsOver(peer, request);
    return {};
  }
  Status Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each) override {
    std::vector<std::pair<uint32_t, Notice>> come;
    {
      const std::lock_guard lock(network_.mutex_);
      std::erase_if(network_.under_way_, [this](Parcel& parcel) {
        return parcel.by == config_.rank && network_.ends_[parcel.from]->Move(parcel);
      });
      come.swap(inbox_);
    }
    for (const auto& [peer, notice] : come) EP_TRY(each(peer, notice));
    return {};
  }

 private:
  uint8_t* Image(uint32_t peer) const { return images_.data() + peer * config_.pairs.bytes; }
  uint8_t* AreaOf(uint32_t peer) const {
    return data() + config_.pairs.begin + peer * config_.pairs.bytes;
  }
  bool IsOver(uint32_t peer, uint32_t request) const {
    for (const Parcel& parcel : network_.under_way_) {
      if (parcel.from == config_.rank && parcel.to == peer && parcel.request == request) {
        return false;
      }
    }
    return true;
  }

  // Moves a parcel of this end on by a step; whether it is over.
  bool Move(Parcel& parcel) {
    if (parcel.steps > 0) {
      --parcel.steps;
      return false;
    }
    End& to = *network_.ends_[parcel.to];
    switch (network_.fate(parcel)) {
      case Fate::kIsLost: return true;
      case Fate::kNeverEnds: return false;
      case Fate::kFails: failed_ = true; return false;
      case Fate::kNoticeComesAlone: MoveExtents(parcel, 1); break;
      case Fate::kArrives: MoveExtents(parcel, parcel.extents.size()); break;
    }
    to.inbox_.emplace_back(config_.rank, parcel.notice);
    return true;
  }
  void MoveExtents(const Parcel& parcel, size_t count) {
    uint8_t* const to = network_.ends_[parcel.to]->AreaOf(config_.rank);
    for (size_t i = 0; i < count; ++i) {
      const PairExtent& extent = parcel.extents[i];
      EXPECT_LE(extent.offset + extent.bytes, config_.pairs.bytes);
      std::memcpy(to + extent.offset, Image(parcel.to) + extent.offset, extent.bytes);
    }
  }

  TestNetwork& network_;
  const RegionConfig config_;
  Mapping memory_;
  Mapping images_;
  std::vector<std::pair<uint32_t, Notice>> inbox_;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<PairExtent>> lists_;
  bool failed_ = false;
};

inline std::unique_ptr<Region> TestNetwork::MakeRegion(const RegionConfig& config) {
  ends_.resize(config.ranks);
  auto end = std::make_unique<End>(this, config);
  ends_[config.rank] = end.get();
  return end;
}

}  // namespace ep

#endif  // CSRC_RANK_POSTING_TEST_UTIL_H_
