// What a CPU rank has where peers are proxied: the words that its workers and its proxy share, and
// the proxy, which has no thread of its own: whichever worker waits lets it step.
#ifndef CSRC_RANK_HOST_POST_H_
#define CSRC_RANK_HOST_POST_H_

#include <cstdint>
#include <mutex>
#include <vector>

#include "csrc/base/clock.h"
#include "csrc/base/status.h"
#include "csrc/device/cpu.h"
#include "csrc/device/post.h"
#include "csrc/protocol/policies.h"
#include "csrc/protocol/rank.h"
#include "csrc/proxy/proxy.h"
#include "csrc/region/wire.h"

namespace ep {

class HostPost {
 public:
  // Of a context that knows who is proxied; gives it its words. Both outlive this.
  HostPost(RankContext* context, Wire* wire)
      : words_(2 * Post::Words(context->shape.ranks)),
        gathered_(2 * context->shape.ranks),
        proxy_(*context, wire, &stop_) {
    const uint32_t ranks = context->shape.ranks;
    context->post = {ranks, words_.data(), words_.data() + Post::Words(ranks), &stop_,
                     gathered_.data()};
  }

  // Any worker; returns at once where another is at it.
  void Step() {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock.owns_lock()) proxy_.Step(MonotonicNs());
  }
  // Whether all that was rung for has been sent and is over: then nobody needs this rank to step.
  bool Idle() {
    const std::lock_guard lock(mutex_);
    return proxy_.Idle();
  }
  Sent sent() const { return proxy_.sent(); }
  Status Failure() {
    const std::lock_guard lock(mutex_);
    return proxy_.failure();
  }

 private:
  std::vector<uint64_t> words_;
  std::vector<Gathered> gathered_;
  uint64_t stop_ = 0;
  std::mutex mutex_;  // guards the proxy
  Proxy proxy_;
};

// The policy of such a rank's workers.
class PostingHostDevice : public PostDevice<HostDevice> {
 public:
  using PostDevice<HostDevice>::PostDevice;

  // Before the first operation.
  void Use(HostPost* post) { post_ = post; }

  void Relax(uint32_t misses) const {
    // A step takes as long as some ten polls, and a wait is as long as it takes.
    constexpr uint32_t kPollsPerStep = 10;
    post_->Step();
    HostDevice::Relax(misses * kPollsPerStep);
  }

 private:
  HostPost* post_ = nullptr;
};

static_assert(DevicePolicy<PostingHostDevice>);

}  // namespace ep

#endif  // CSRC_RANK_HOST_POST_H_
