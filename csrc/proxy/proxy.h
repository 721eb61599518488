// A rank's proxy: it posts what its workers have rung for, and leaves mail for what has arrived
// (csrc/device/post.h).
//
// It is one step that somebody repeats: no thread, no clock and no GPU are in it. A step never
// waits, and both ends must go on stepping while either has something under way.
#ifndef CSRC_PROXY_PROXY_H_
#define CSRC_PROXY_PROXY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/protocol/rank.h"
#include "csrc/region/wire.h"

namespace ep {

class Proxy {
 public:
  // `context` has bells, mail and who is proxied; it and the wire outlive the proxy. `stop` is the
  // word that the rank's waiting workers look at. A message that is under way for longer than the
  // context's deadline is a failure. `flush`, if any, makes visible to workers what has arrived.
  Proxy(const RankContext& context, Wire* wire, uint64_t* stop,
        std::function<Status()> flush = nullptr);

  // At `now_ns` of any steady clock.
  void Step(uint64_t now_ns);

  // Whether every bell that was rung before has been served, and all that was posted is over. Never
  // again after a failure: the network may use that memory for ever.
  bool Idle() const;
  // Whether the network may still use memory of the rank; for ever after a failure.
  bool UnderWay() const;
  // Whether somebody has told the rank to stop: nothing more is posted.
  bool Stopped() const;
  // Any thread may ask.
  Sent sent() const { return {messages_, bytes_, slowest_ns_, steps_}; }
  // The first failure, and with which peer; ok if there is none.
  const Status& failure() const { return failure_; }
  uint32_t failed_peer() const { return failed_peer_; }

 private:
  // Of one operation and bank to one peer.
  struct Request {
    uint32_t peer;
    Op op;
    uint32_t bank;
    uint64_t served = 0;  // the last bell
    bool under_way = false;
    uint64_t begun_ns = 0;
    uint64_t bytes = 0;
  };
  struct Letter {
    uint64_t* mail;
    uint64_t flag;
  };

  void Serve(Request& request, uint64_t now_ns);
  Status Post(Request& request, uint64_t flag, bool* done);
  void Count(const Request& request, uint64_t now_ns);
  Status Poll(Request& request, uint64_t now_ns);
  void Receive();
  Status Take(uint32_t peer, const Notice& notice);
  void Fail(uint32_t peer, Status status);

  const RankContext& context_;
  Wire& wire_;
  uint64_t* const stop_;
  const std::function<Status()> flush_;
  std::vector<Request> requests_;  // of the nearest peer first
  std::vector<Letter> letters_;    // that have arrived in this step
  std::vector<PairExtent> extents_;
  Status failure_;
  uint32_t failed_peer_ = 0;
  // One thread at a time writes them.
  std::atomic<uint64_t> messages_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  std::atomic<uint64_t> slowest_ns_ = 0;
  std::atomic<uint64_t> steps_ = 0;
};

}  // namespace ep

#endif  // CSRC_PROXY_PROXY_H_
