#include "csrc/rank/worker_pool.h"

#include "csrc/base/clock.h"

namespace ep {
namespace {

// Polls of a worker without work before it sleeps: some 100 us, longer than the pause between two
// iterations and much shorter than that between two blocks.
constexpr uint32_t kPollsBeforeSleep = 4000;

}  // namespace

WorkerPool::WorkerPool(uint32_t workers, bool yields) : yields_(yields) {
  for (uint32_t worker = 1; worker < workers; ++worker) {
    threads_.emplace_back([this, worker] { Work(worker); });
  }
}

WorkerPool::~WorkerPool() {
  body_ = nullptr;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Run(const std::function<void(uint32_t)>& body) {
  if (threads_.empty()) {
    body(0);
    return;
  }
  body_ = &body;
  busy_.store(static_cast<uint32_t>(threads_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  body(0);
  for (uint32_t misses = 0; busy_.load(std::memory_order_acquire) != 0; ++misses) {
    Relax(misses, yields_);
  }
}

void WorkerPool::Work(uint32_t worker) {
  for (uint32_t done = 0;;) {
    for (uint32_t misses = 0; round_.load(std::memory_order_acquire) == done; ++misses) {
      if (misses < kPollsBeforeSleep) {
        Relax(misses, yields_);
      } else {
        round_.wait(done, std::memory_order_acquire);
      }
    }
    ++done;
    if (body_ == nullptr) return;
    (*body_)(worker);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace ep
