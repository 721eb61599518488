// What a rank on a GPU has where peers are proxied: the words that its kernels and its proxy share,
// in pinned memory of the host, and the thread that steps the proxy.
#ifndef CSRC_RANK_CUDA_POST_H_
#define CSRC_RANK_CUDA_POST_H_

#include <cstdint>
#include <memory>
#include <string>

#include "csrc/base/status.h"
#include "csrc/protocol/error.h"
#include "csrc/protocol/rank.h"
#include "csrc/proxy/thread.h"
#include "csrc/rank/cuda_memory.h"
#include "csrc/region/pinned.h"
#include "csrc/region/region.h"

namespace ep {

class CudaPost {
 public:
  // Of a context that knows who is proxied, over a region that is connected; gives it its words and
  // begins to step. On the current GPU, which is `gpu`. `yields` is ProxyThreadConfig's.
  static Status Create(int gpu, bool yields, Region* region, RankContext* context,
                       std::unique_ptr<CudaPost>* post);
  // Ended, or left behind.
  ~CudaPost();

  // Operations begin, and have ended.
  void Work() { thread_->Work(); }
  void Rest() { thread_->Rest(); }
  // Tells kernels that wait, and the proxy, to stop; any thread may.
  void Stop(ErrorKind kind, uint32_t peer);
  Sent sent() const { return thread_->sent(); }
  const std::string& cpus() const { return thread_->cpus(); }
  Status Failure(uint32_t* peer) const { return thread_->Failure(peer); }

  // ProxyThread::End. After false the region stays for ever, and with it what this has.
  bool End(uint64_t patience_ns);

 private:
  CudaPost() = default;

  uint64_t* stop() const { return words_.As<uint64_t>(); }

  // `stop`, bells, mail: each begins on a line of its own.
  PinnedBytes words_;
  DeviceMemory gathered_;
  std::unique_ptr<ProxyThread> thread_;
};

}  // namespace ep

#endif  // CSRC_RANK_CUDA_POST_H_
