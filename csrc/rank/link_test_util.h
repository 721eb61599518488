// A network in one process, for tests: messages take their time, are read from the sender's memory
// only when they move, and many of them only while the receiver, too, looks after the network; all
// as with real ones.
#ifndef CSRC_RANK_LINK_TEST_UTIL_H_
#define CSRC_RANK_LINK_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/region/region.h"

namespace ep {

// A message on its way.
struct Parcel {
  uint32_t from;
  uint32_t to;
  std::vector<Extent> extents;
  std::vector<RaisedWord> words;
  uint32_t steps;  // calls of Progress before it moves
  uint32_t by;     // whose calls: the sender's or the receiver's
  size_t set = 0;  // words
};

class TestNetwork {
 public:
  explicit TestNetwork(uint32_t seed) : random_(seed) {}

  // What becomes of a message: by default it arrives, after up to eight calls of Progress, and one
  // for each word.
  enum class Fate { kArrives, kIsLost, kFlagComesFirst, kNeverEnds, kFails };
  std::function<Fate(const Parcel&)> fate = [](const Parcel&) { return Fate::kArrives; };

  std::unique_ptr<Region> MakeRegion(const RegionConfig& config);

 private:
  class End;

  std::mutex mutex_;
  std::minstd_rand random_;
  std::vector<End*> ends_;
  std::deque<Parcel> under_way_;
};

class TestNetwork::End : public Region, public Link {
 public:
  End(TestNetwork* network, const RegionConfig& config) : network_(network), config_(config) {
    Status status = Mapping::Private(config.bytes * config.ranks, "images", &memory_);
    if (!status.ok()) std::abort();
  }

  uint8_t* data() const override { return Image(config_.rank); }
  size_t size() const override { return config_.bytes; }
  std::vector<uint8_t> Blob() const override { return {static_cast<uint8_t>(config_.rank)}; }
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override {
    EXPECT_EQ(rank, config_.rank);
    for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
      if (blobs[peer].size() != 1 || blobs[peer][0] != peer) {
        return {Code::kInvalid, "connect: not the blob of rank " + std::to_string(peer)};
      }
      reached->push_back(peer == rank ? Reach{Reached::kOwn, data(), data(), data()}
                                      : Reach{Reached::kProxied, nullptr, Image(peer), data()});
    }
    return {};
  }
  Link* link() override { return this; }

  void Send(uint32_t peer, std::span<const Extent> extents,
            std::span<const RaisedWord> words) override {
    EXPECT_GT(words.size(), 0u);
    EXPECT_LE(words.size(), kMostWords);
    const std::lock_guard lock(network_->mutex_);
    for (const Parcel& parcel : network_->under_way_) {
      EXPECT_FALSE(parcel.from == config_.rank && parcel.to == peer) << "two at once";
    }
    const auto draw = static_cast<uint32_t>(network_->random_());
    network_->under_way_.push_back({config_.rank,
                                    peer,
                                    {extents.begin(), extents.end()},
                                    {words.begin(), words.end()},
                                    draw % 8,
                                    draw / 8 % 2 == 0 ? config_.rank : peer});
  }

  void Progress() override {
    const std::lock_guard lock(network_->mutex_);
    std::erase_if(network_->under_way_, [this](Parcel& parcel) {
      return parcel.by == config_.rank && network_->ends_[parcel.from]->Move(parcel);
    });
  }

  bool Idle() override {
    const std::lock_guard lock(network_->mutex_);
    return !failed_ && std::ranges::none_of(network_->under_way_, [this](const Parcel& parcel) {
      return parcel.from == config_.rank;
    });
  }

  Status Failure(uint32_t* peer) override {
    const std::lock_guard lock(network_->mutex_);
    *peer = failed_with_;
    return failed_ ? Status{Code::kSystem, "the cable is cut"} : Status{};
  }

 private:
  uint8_t* Image(uint32_t peer) const { return memory_.data() + peer * config_.bytes; }

  // Moves a parcel of this end on by a step; whether it is over.
  bool Move(Parcel& parcel) {
    if (parcel.steps > 0) {
      --parcel.steps;
      return false;
    }
    switch (network_->fate(parcel)) {
      case Fate::kIsLost: return true;
      case Fate::kNeverEnds: return false;
      case Fate::kFails:
        failed_ = true;
        failed_with_ = parcel.to;
        return true;
      case Fate::kFlagComesFirst: return SetWord(parcel);
      case Fate::kArrives: break;
    }
    if (parcel.set == 0) {
      const uint8_t* from = Image(parcel.to);
      uint8_t* to = network_->ends_[parcel.to]->data();
      for (const Extent& extent : parcel.extents) {
        EXPECT_TRUE(Registered(config_.image_extents, extent));
        std::memcpy(to + extent.offset, from + extent.offset, extent.bytes);
      }
    }
    return SetWord(parcel);
  }

  // Sets the next word; whether it was the last.
  bool SetWord(Parcel& parcel) {
    const RaisedWord& word = parcel.words[parcel.set++];
    auto* at = reinterpret_cast<uint64_t*>(network_->ends_[parcel.to]->data() + word.offset);
    std::atomic_ref<uint64_t>(*at).store(word.value, std::memory_order_release);
    return parcel.set == parcel.words.size();
  }

  static bool Registered(const std::vector<Extent>& registered, const Extent& extent) {
    return std::ranges::any_of(registered, [&](const Extent& all) {
      return all.offset <= extent.offset && extent.offset + extent.bytes <= all.offset + all.bytes;
    });
  }

  TestNetwork* const network_;
  const RegionConfig config_;
  Mapping memory_;
  bool failed_ = false;
  uint32_t failed_with_ = 0;
};

inline std::unique_ptr<Region> TestNetwork::MakeRegion(const RegionConfig& config) {
  ends_.resize(config.ranks);
  auto end = std::make_unique<End>(this, config);
  ends_[config.rank] = end.get();
  return end;
}

}  // namespace ep

#endif  // CSRC_RANK_LINK_TEST_UTIL_H_
