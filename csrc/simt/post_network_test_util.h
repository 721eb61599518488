// Proxies and a network between ranks of a simulated machine that do not map each other.
//
// A proxy is one more actor of the machine: its step may come at any moment. The network reads what
// it moves as late as it may, brings messages of different peers in any order, ends requests late,
// and at will leaves what has arrived invisible to the receiver's kernels until they are flushed.
#ifndef CSRC_SIMT_POST_NETWORK_TEST_UTIL_H_
#define CSRC_SIMT_POST_NETWORK_TEST_UTIL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "csrc/protocol/layout.h"
#include "csrc/protocol/rank.h"
#include "csrc/proxy/proxy.h"
#include "csrc/region/wire.h"
#include "csrc/simt/machine.h"
#include "csrc/simt/random.h"

namespace ep::simt {

// Which ranks do not map each other.
enum class Net {
  kNone,       // all are mapped
  kAll,        // nobody maps anybody
  kOddAndEven  // as on two hosts
};

class PostNetwork {
 public:
  struct Options {
    Net net = Net::kAll;
    bool needs_flush = false;
    // Messages arrive in memory of their own, as a GPU's do in its host's.
    bool staged = false;
    // What lies between a message's extents goes along, at will.
    bool joins = false;
    // Steps of a sender until a message moves, and until it knows that it has, at most.
    uint32_t latest = 6;
  };
  // What becomes of a message.
  enum class Fate { kArrives, kFails, kNeverEnds };

  PostNetwork(const Options& options, std::deque<RankContext*> contexts)
      : options_(options), contexts_(std::move(contexts)) {
    const uint32_t ranks = static_cast<uint32_t>(contexts_.size());
    const Layout& layout = contexts_[0]->layout;
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      End& end = ends_.emplace_back();
      end.images.resize(ranks * layout.PairBytes());
      end.bells.resize(Post::Words(ranks));
      end.mail.resize(Post::Words(ranks));
      end.gathered.resize(2 * ranks);
      RankContext& context = *contexts_[rank];
      if (options_.staged) end.staging.resize(layout.SizeBytes());
      context.inbox = options_.staged ? end.staging.data() : context.region;
      context.post = {ranks, end.bells.data(), end.mail.data(), &end.stop, end.gathered.data()};
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        if (!IsProxied(rank, peer)) continue;
        context.proxied[peer / 32] |= 1u << peer % 32;
        context.there[peer] = end.images.data() + peer * layout.PairBytes();
      }
    }
  }

  bool IsProxied(uint32_t a, uint32_t b) const {
    return a != b && options_.net != Net::kNone && (options_.net == Net::kAll || (a + b) % 2 == 1);
  }
  std::function<Fate(uint32_t from, uint32_t to, const Notice& notice)> fate;
  // Planted ones.
  struct Faults {
    Op op = Op::kDispatch;  // whose messages have them
    bool forgets_to_flush = false;
    bool tells_before_it_moves = false;
    bool tells_twice = false;
    int leaves_out = -1;  // the how manieth extent of each message
    std::function<void(Notice*)> says_instead = nullptr;
  };
  Faults faults;

  // As it comes: no word of any epoch, and images of nobody's rows.
  void Reset(uint64_t seed) {
    random_ = Random(seed ^ 0x9E3779B97F4A7C15);
    finished_ = 0;
    for (uint32_t rank = 0; rank < ends_.size(); ++rank) {
      End& end = ends_[rank];
      std::ranges::fill(end.images, kNobodys);
      std::ranges::fill(end.staging, kNobodys);
      std::ranges::fill(end.bells, 0);
      std::ranges::fill(end.mail, 0);
      std::ranges::fill(end.gathered, Gathered{});
      end.stop = 0;
      end.inbox.clear();
      end.unseen.clear();
      end.wire = MakeWire(rank);
      end.proxy = std::make_unique<Proxy>(*contexts_[rank], end.wire.get(), &end.stop,
                                          options_.needs_flush && !faults.forgets_to_flush
                                              ? [this, rank] { return Flush(rank); }
                                              : std::function<Status()>());
    }
  }
  // The actors, until all ranks but `dead` have ended.
  void Enqueue(Machine* machine, std::optional<Machine::Death> death) {
    const uint32_t ranks = static_cast<uint32_t>(ends_.size());
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      const bool dies = death && death->rank == rank;
      machine->Enqueue({.rank = ranks + rank,
                        .blocks = 1,
                        .crews = 1,
                        .shared_bytes = 16,
                        .body = [this, rank, dies, death, ranks](Lane& lane) {
                          if (lane.Thread() != 0) return;
                          while (finished_ < ranks - (death ? 1 : 0)) {
                            if (dies && lane.Steps() >= death->step) return;
                            ends_[rank].proxy->Step(lane.Steps());
                            lane.YieldAfterMiss();
                          }
                        }});
    }
  }
  void RankIsThrough() { ++finished_; }
  const Proxy& proxy(uint32_t rank) const { return *ends_[rank].proxy; }

 private:
  static constexpr uint8_t kNobodys = 0xA5;

  struct Parcel {
    std::vector<PairExtent> extents;
    Notice notice;
    Fate fate;
    uint32_t until_it_moves;
    uint32_t until_it_is_over;
    bool is_told = false;
  };
  struct Bytes {
    uint8_t* to;
    std::vector<uint8_t> bytes;
  };

  struct End {
    std::vector<uint8_t> images;
    std::vector<uint8_t> staging;
    std::vector<uint64_t> bells;
    std::vector<uint64_t> mail;
    std::vector<Gathered> gathered;
    uint64_t stop = 0;
    std::vector<std::pair<uint32_t, Notice>> inbox;
    std::deque<Bytes> unseen;  // has arrived
    std::unique_ptr<Wire> wire;
    std::unique_ptr<Proxy> proxy;
  };

  class Cable;
  std::unique_ptr<Wire> MakeWire(uint32_t rank);

  Status Flush(uint32_t rank) {
    while (!ends_[rank].unseen.empty()) See(rank);
    return {};
  }
  // Some of what has arrived, the oldest first.
  void See(uint32_t rank) {
    const Bytes& some = ends_[rank].unseen.front();
    std::memcpy(some.to, some.bytes.data(), some.bytes.size());
    ends_[rank].unseen.pop_front();
  }
  uint32_t UpTo(uint32_t most) { return random_.Below(most + 1); }

  const Options options_;
  const std::deque<RankContext*> contexts_;
  std::deque<End> ends_;
  Random random_{0};
  uint32_t finished_ = 0;
};

class PostNetwork::Cable : public Wire {
 public:
  Cable(PostNetwork* network, uint32_t rank)
      : network_(*network), rank_(rank), parcels_(network->ends_.size() * kRequests) {}

  Status Post(uint32_t peer, uint32_t request, std::span<const PairExtent> extents,
              const Notice& notice, bool* done) override {
    std::optional<Parcel>& parcel = parcels_[peer * kRequests + request];
    if (parcel) return {Code::kState, "the request is under way"};
    const Fate fate = network_.fate ? network_.fate(rank_, peer, notice) : Fate::kArrives;
    Notice said = notice;
    const bool has_faults = notice.operation == static_cast<uint32_t>(network_.faults.op);
    if (has_faults && network_.faults.says_instead) network_.faults.says_instead(&said);
    parcel = Parcel{{extents.begin(), extents.end()},
                    said,
                    fate,
                    1 + network_.UpTo(network_.options_.latest),
                    network_.UpTo(network_.options_.latest)};
    const int out = has_faults ? network_.faults.leaves_out : -1;
    if (out >= 0 && static_cast<size_t>(out) < extents.size()) {
      parcel->extents.erase(parcel->extents.begin() + out);
    }
    parcel->is_told = has_faults && network_.faults.tells_before_it_moves;
    if (parcel->is_told) Tell(peer, *parcel);
    *done = false;
    return {};
  }

  Status Poll(uint32_t peer, uint32_t request, bool* done) override {
    std::optional<Parcel>& parcel = parcels_[peer * kRequests + request];
    if (parcel && parcel->fate == Fate::kFails) return {Code::kSystem, "the cable is cut"};
    *done = !parcel.has_value();
    return {};
  }

  Status Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each) override {
    for (uint32_t i = 0; i < parcels_.size(); ++i) {
      if (parcels_[i] && parcels_[i]->fate == Fate::kArrives) Move(i / kRequests, parcels_[i]);
    }
    End& end = network_.ends_[rank_];
    if (!end.unseen.empty() && network_.UpTo(3) == 0) network_.See(rank_);
    std::vector<std::pair<uint32_t, Notice>> come;
    come.swap(end.inbox);
    for (const auto& [peer, notice] : come) EP_TRY(each(peer, notice));
    return {};
  }

 private:
  void Move(uint32_t peer, std::optional<Parcel>& parcel) {
    if (parcel->until_it_moves > 0) {
      if (--parcel->until_it_moves > 0) return;
      Deliver(peer, *parcel);
      if (!parcel->is_told) Tell(peer, *parcel);
    }
    if (parcel->until_it_is_over-- == 0) parcel.reset();
  }
  void Deliver(uint32_t peer, const Parcel& parcel) {
    End& to = network_.ends_[peer];
    const RankContext& there = *network_.contexts_[peer];
    std::vector<PairExtent> extents = parcel.extents;
    if (network_.options_.joins && network_.UpTo(1) == 0) {
      const PairExtent& last = extents.back();
      extents = {{extents[0].offset, last.offset + last.bytes - extents[0].offset}};
    }
    for (const PairExtent& extent : extents) {
      const uint8_t* from = network_.contexts_[rank_]->there[peer] + extent.offset;
      uint8_t* at = there.InboxOf<uint8_t>(rank_, extent.offset);
      to.unseen.push_back({at, {from, from + extent.bytes}});
      if (!network_.options_.needs_flush) network_.See(peer);
    }
  }
  void Tell(uint32_t peer, const Parcel& parcel) {
    const bool twice = network_.faults.tells_twice &&
                       parcel.notice.operation == static_cast<uint32_t>(network_.faults.op);
    for (int i = 0; i < (twice ? 2 : 1); ++i) {
      network_.ends_[peer].inbox.emplace_back(rank_, parcel.notice);
    }
  }

  PostNetwork& network_;
  const uint32_t rank_;
  std::vector<std::optional<Parcel>> parcels_;
};

inline std::unique_ptr<Wire> PostNetwork::MakeWire(uint32_t rank) {
  return std::make_unique<Cable>(this, rank);
}

}  // namespace ep::simt

#endif  // CSRC_SIMT_POST_NETWORK_TEST_UTIL_H_
