// A thread that steps a rank's proxy (csrc/proxy/proxy.h).
//
// It spins while the rank works and a while after, and then naps between two steps. NIXL moves
// nothing on by itself, so it steps from the rank's first operation to its end.
#ifndef CSRC_PROXY_THREAD_H_
#define CSRC_PROXY_THREAD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "csrc/base/status.h"
#include "csrc/protocol/rank.h"
#include "csrc/region/wire.h"

namespace ep {

struct ProxyThreadConfig {
  // Called once in the thread, ahead of all steps.
  std::function<Status()> begin = nullptr;
  // As the proxy's: makes visible to workers what has arrived.
  std::function<Status()> flush = nullptr;
  uint64_t linger_ns = 10'000'000;
  uint64_t nap_ns = 50'000;
  // Lets others run between two steps: there are fewer CPUs than threads that spin.
  bool yields = false;
};

class ProxyThread {
 public:
  // Begins to step. `context` is copied; what it points to, `stop` and the wire outlive the thread,
  // or if End says that they may yet be used, the process.
  static Status Start(const RankContext& context, Wire* wire, uint64_t* stop,
                      const ProxyThreadConfig& config, std::unique_ptr<ProxyThread>* thread);
  // Ends it as End(0) does.
  ~ProxyThread();
  ProxyThread(const ProxyThread&) = delete;
  ProxyThread& operator=(const ProxyThread&) = delete;

  // The rank begins to work, and has ended; cheap.
  void Work();
  void Rest();
  Sent sent() const;
  // CPUs that it might run on when it began, as 0-47,96-143.
  const std::string& cpus() const;
  // The first failure, and with which peer; ok if there is none.
  Status Failure(uint32_t* peer) const;

  // Goes on until all that was rung for is over, `patience_ns` at most, and ends. Returns whether
  // the network uses none of the rank's memory any more. A rank that was stopped has no patience
  // with what was not posted.
  bool End(uint64_t patience_ns);

 private:
  struct State;
  explicit ProxyThread(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // The thread's, too: one that hangs in the network is left behind.
  std::shared_ptr<State> state_;
};

}  // namespace ep

#endif  // CSRC_PROXY_THREAD_H_
