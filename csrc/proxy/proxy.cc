#include "csrc/proxy/proxy.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "csrc/protocol/extents.h"
#include "csrc/protocol/flag.h"

namespace ep {
namespace {

uint64_t LoadAcquire(const uint64_t* word) {
  return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(word)).load(std::memory_order_acquire);
}

// To what one thread at a time adds.
void Add(std::atomic<uint64_t>& to, uint64_t value) {
  to.store(to.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

uint32_t RequestOf(Op op, uint32_t bank) { return (op == Op::kCombine ? kBanks : 0) + bank; }

std::string Text(Op op, uint64_t flag) {
  return std::string(op == Op::kDispatch ? "dispatch" : "combine") + " epoch " +
         std::to_string(FlagEpoch(flag)) + " with " + std::to_string(FlagRows(flag)) + " rows";
}

// Whether a flag may follow another in a bank.
bool Follows(uint64_t flag, uint64_t before, uint32_t bank) {
  return BankOf(FlagEpoch(flag)) == bank && FlagEpoch(flag) != FlagEpoch(before) &&
         PrecedesInBank(FlagEpoch(before), FlagEpoch(flag));
}

}  // namespace

Proxy::Proxy(const RankContext& context, Wire* wire, uint64_t* stop, std::function<Status()> flush)
    : context_(context), wire_(*wire), stop_(stop), flush_(std::move(flush)) {
  static_assert(Wire::kRequests == 2 * kBanks);
  for (uint32_t i = 0; i < context.shape.ranks; ++i) {
    const uint32_t peer = context.Peer(i);
    if (!context.IsProxied(peer)) continue;
    for (const Op op : {Op::kDispatch, Op::kCombine}) {
      for (uint32_t bank = 0; bank < kBanks; ++bank) {
        requests_.push_back({.peer = peer, .op = op, .bank = bank});
      }
    }
  }
}

void Proxy::Step(uint64_t now_ns) {
  Add(steps_, 1);
  for (Request& request : requests_) {
    if (!failure_.ok()) return;
    Serve(request, now_ns);
  }
  if (failure_.ok()) Receive();
}

bool Proxy::Idle() const {
  if (!failure_.ok()) return false;
  for (const Request& request : requests_) {
    const uint64_t bell = LoadAcquire(context_.post.Bell(request.op, request.bank, request.peer));
    if (request.under_way || bell != request.served) return false;
  }
  return true;
}

bool Proxy::UnderWay() const {
  return !failure_.ok() || std::ranges::any_of(requests_, &Request::under_way);
}

bool Proxy::Stopped() const { return LoadAcquire(stop_) != 0; }

void Proxy::Serve(Request& request, uint64_t now_ns) {
  Status status;
  if (request.under_way) status = Poll(request, now_ns);
  const uint64_t bell = LoadAcquire(context_.post.Bell(request.op, request.bank, request.peer));
  // A peer can answer before we know that our message is over.
  if (status.ok() && !request.under_way && bell != request.served && !Stopped()) {
    bool done = false;
    status = Post(request, bell, &done);
    request.served = bell;
    request.under_way = status.ok() && !done;
    request.begun_ns = now_ns;
    if (done) Count(request, now_ns);
  }
  if (!status.ok()) {
    Fail(request.peer,
         status.In("send " + Text(request.op, bell) + " to rank " + std::to_string(request.peer)));
  }
}

Status Proxy::Post(Request& request, uint64_t flag, bool* done) {
  if (!Follows(flag, request.served, request.bank) || FlagRows(flag) > context_.shape.tokens) {
    return {Code::kProtocol,
            "its bell was rung out of turn, after " + Text(request.op, request.served)};
  }
  extents_.clear();
  request.bytes = 0;
  const auto add = [&](uint64_t offset, uint64_t bytes) {
    extents_.push_back({offset, bytes});
    request.bytes += bytes;
  };
  if (request.op == Op::kDispatch) {
    ForEachDispatchExtent(context_.shape, context_.layout, request.bank, FlagRows(flag), add);
  } else {
    ForEachCombineExtent(context_.layout, request.bank, FlagRows(flag), add);
  }
  const Notice notice = {static_cast<uint32_t>(request.op), context_.rank, flag};
  return wire_.Post(request.peer, RequestOf(request.op, request.bank), extents_, notice, done);
}

Status Proxy::Poll(Request& request, uint64_t now_ns) {
  bool done = false;
  EP_TRY(wire_.Poll(request.peer, RequestOf(request.op, request.bank), &done));
  if (done) {
    request.under_way = false;
    Count(request, now_ns);
    return {};
  }
  if (now_ns - request.begun_ns <= context_.wait_timeout_ns) return {};
  return {Code::kTimeout, "not over after " + std::to_string(context_.wait_timeout_ns / 1'000'000) +
                              " ms (has it ended, or is it stopped?)"};
}

void Proxy::Count(const Request& request, uint64_t now_ns) {
  Add(messages_, 1);
  Add(bytes_, request.bytes);
  slowest_ns_.store(
      std::max(slowest_ns_.load(std::memory_order_relaxed), now_ns - request.begun_ns),
      std::memory_order_relaxed);
}

void Proxy::Receive() {
  letters_.clear();
  Status status =
      wire_.Arrivals([this](uint32_t peer, const Notice& notice) { return Take(peer, notice); });
  if (!failure_.ok()) return;  // which knows the peer
  if (status.ok() && !letters_.empty() && flush_) {
    status = flush_().In("make visible what has arrived");
  }
  if (!status.ok()) return Fail(context_.rank, std::move(status));
  for (const Letter& letter : letters_) {
    std::atomic_ref<uint64_t>(*letter.mail).store(letter.flag, std::memory_order_release);
  }
}

Status Proxy::Take(uint32_t peer, const Notice& notice) {
  const Op op = static_cast<Op>(notice.operation);
  const bool known = op == Op::kDispatch || op == Op::kCombine;
  const uint32_t bank = BankOf(FlagEpoch(notice.flag));
  if (known && notice.sender == peer && context_.IsProxied(peer) &&
      FlagRows(notice.flag) <= context_.shape.tokens) {
    uint64_t* mail = context_.post.Mail(op, bank, peer);
    uint64_t before = *mail;
    for (const Letter& letter : letters_) {
      if (letter.mail == mail) before = letter.flag;
    }
    if (Follows(notice.flag, before, bank)) {
      letters_.push_back({mail, notice.flag});
      return {};
    }
  }
  Fail(peer,
       {Code::kProtocol, "rank " + std::to_string(peer) + " sent what it must not: operation " +
                             std::to_string(notice.operation) + " of rank " +
                             std::to_string(notice.sender) + ", " + Text(op, notice.flag)});
  return failure_;
}

void Proxy::Fail(uint32_t peer, Status status) {
  if (!failure_.ok()) return;
  failure_ = std::move(status);
  failed_peer_ = peer;
  uint64_t none = 0;
  std::atomic_ref<uint64_t>(*stop_).compare_exchange_strong(
      none, MakeStop(ErrorKind::kNetwork, peer), std::memory_order_release,
      std::memory_order_relaxed);
}

}  // namespace ep
