// The workers of one rank: the calling thread and as many more as it has CPUs for.
#ifndef CSRC_RANK_WORKER_POOL_H_
#define CSRC_RANK_WORKER_POOL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace ep {

class WorkerPool {
 public:
  // Starts workers - 1 threads. With `yields`, waiting workers give their CPUs away.
  WorkerPool(uint32_t workers, bool yields);
  ~WorkerPool();

  uint32_t workers() const { return static_cast<uint32_t>(threads_.size()) + 1; }

  // Runs body(0) on the calling thread and body(1), … on the others at the same time; returns
  // when all are through. What each did is visible to all in the next Run.
  void Run(const std::function<void(uint32_t worker)>& body);

 private:
  void Work(uint32_t worker);

  const bool yields_;
  const std::function<void(uint32_t)>* body_ = nullptr;  // null: end
  std::atomic<uint32_t> round_ = 0;
  std::atomic<uint32_t> busy_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace ep

#endif  // CSRC_RANK_WORKER_POOL_H_
