#include "csrc/proxy/thread.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "csrc/base/clock.h"
#include "csrc/proxy/proxy.h"

namespace ep {
namespace {

// Those that this thread may run on, as a list of Linux; empty if there are more than we ask for.
std::string AllowedCpus() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return "";
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const int first = cpu;
    while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, &allowed)) ++cpu;
    list += (list.empty() ? "" : ",") + std::to_string(first);
    if (cpu > first) list += "-" + std::to_string(cpu);
  }
  return list;
}

}  // namespace

struct ProxyThread::State {
  State(const RankContext& of, Wire* wire, uint64_t* stop, const ProxyThreadConfig& how)
      : context(of), config(how), proxy(context, wire, stop, how.flush) {}

  const RankContext context;
  const ProxyThreadConfig config;
  Proxy proxy;  // the thread's alone

  std::atomic<bool> works = false;
  std::atomic<uint64_t> rest_since_ns = 0;
  std::atomic<bool> failed = false;
  std::atomic<uint64_t> end_by_ns = 0;  // 0: it goes on

  mutable std::mutex mutex;  // guards all below
  std::condition_variable changed;
  Status failure;
  uint32_t failed_peer = 0;
  std::string cpus;  // nobody writes it once it has begun
  bool begun = false;
  bool ended = false;
  bool at_rest = false;  // once it has ended: the network uses nothing any more

  void Run() {
    if (Begin()) {
      while (!Step()) {
      }
    }
    const std::lock_guard lock(mutex);
    at_rest = !proxy.UnderWay();
    ended = true;
    changed.notify_all();
  }

 private:
  bool Begin() {
    Status status = config.begin ? config.begin() : Status();
    const bool good = status.ok();
    const std::lock_guard lock(mutex);
    if (!good) Fail(std::move(status), context.rank);
    cpus = AllowedCpus();
    begun = true;
    changed.notify_all();
    return good;
  }

  // Returns whether it was the last one.
  bool Step() {
    const uint64_t now_ns = MonotonicNs();
    proxy.Step(now_ns);
    if (!proxy.failure().ok() && !failed.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex);
      Fail(proxy.failure(), proxy.failed_peer());
    }
    if (const uint64_t by_ns = end_by_ns.load(std::memory_order_acquire)) {
      if (now_ns >= by_ns || !proxy.failure().ok()) return true;
      if (proxy.Stopped() ? !proxy.UnderWay() : proxy.Idle()) return true;
      sched_yield();
    } else if (!works.load(std::memory_order_acquire) &&
               now_ns > rest_since_ns.load(std::memory_order_relaxed) + config.linger_ns) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(config.nap_ns));
    } else if (config.yields) {
      sched_yield();
    }
    return false;
  }

  void Fail(Status status, uint32_t peer) {
    failure = std::move(status);
    failed_peer = peer;
    failed.store(true, std::memory_order_release);
  }
};

Status ProxyThread::Start(const RankContext& context, Wire* wire, uint64_t* stop,
                          const ProxyThreadConfig& config, std::unique_ptr<ProxyThread>* thread) {
  auto state = std::make_shared<State>(context, wire, stop, config);
  std::thread([state] { state->Run(); }).detach();
  std::unique_lock lock(state->mutex);
  state->changed.wait(lock, [&] { return state->begun; });
  EP_TRY(state->failure.In("start the proxy of rank " + std::to_string(context.rank)));
  thread->reset(new ProxyThread(state));
  return {};
}

ProxyThread::~ProxyThread() { static_cast<void>(End(0)); }

void ProxyThread::Work() { state_->works.store(true, std::memory_order_release); }

void ProxyThread::Rest() {
  state_->rest_since_ns.store(MonotonicNs(), std::memory_order_relaxed);
  state_->works.store(false, std::memory_order_release);
}

Sent ProxyThread::sent() const { return state_->proxy.sent(); }

const std::string& ProxyThread::cpus() const { return state_->cpus; }

Status ProxyThread::Failure(uint32_t* peer) const {
  if (!state_->failed.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(state_->mutex);
  *peer = state_->failed_peer;
  return state_->failure;
}

bool ProxyThread::End(uint64_t patience_ns) {
  // What a call into the network may take that ends.
  constexpr uint64_t kOneStepNs = 1'000'000'000;
  state_->end_by_ns.store(MonotonicNs() + std::max<uint64_t>(patience_ns, 1),
                          std::memory_order_release);
  std::unique_lock lock(state_->mutex);
  const bool ended = state_->changed.wait_for(
      lock, std::chrono::nanoseconds(patience_ns + kOneStepNs), [this] { return state_->ended; });
  return ended && state_->at_rest;
}

}  // namespace ep
