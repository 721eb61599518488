#include "csrc/rank/cuda_post.h"

#include <atomic>
#include <utility>

#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

constexpr uint64_t kLineWords = 128 / sizeof(uint64_t);

constexpr uint64_t WholeLines(uint64_t words) {
  return (words + kLineWords - 1) / kLineWords * kLineWords;
}

}  // namespace

Status CudaPost::Create(int gpu, bool yields, Region* region, RankContext* context,
                        std::unique_ptr<CudaPost>* post) {
  const uint32_t ranks = context->shape.ranks;
  const uint64_t words = WholeLines(Post::Words(ranks));
  std::unique_ptr<CudaPost> made(new CudaPost);
  EP_TRY(PinnedBytes::Allocate(sizeof(uint64_t) * (kLineWords + 2 * words), "bells and mail",
                               &made->words_));
  EP_TRY(
      DeviceMemory::Allocate(2 * ranks * sizeof(Gathered), "what is announced", &made->gathered_));
  uint64_t* const bells = made->stop() + kLineWords;
  context->post = {.ranks = ranks,
                   .bells = bells,
                   .mail = bells + words,
                   .stop = made->stop(),
                   .gathered = made->gathered_.As<Gathered>()};
  const ProxyThreadConfig config = {
      .begin = [gpu] { return CudaStatus(cudaSetDevice(gpu), "use GPU " + std::to_string(gpu)); },
      .flush = region->flush(),
      .yields = yields};
  EP_TRY(ProxyThread::Start(*context, region->wire(), made->stop(), config, &made->thread_));
  *post = std::move(made);
  return {};
}

CudaPost::~CudaPost() {
  if (thread_ == nullptr || End(0)) return;
  words_.Leave();
}

void CudaPost::Stop(ErrorKind kind, uint32_t peer) {
  uint64_t none = 0;
  std::atomic_ref<uint64_t>(*stop()).compare_exchange_strong(
      none, MakeStop(kind, peer), std::memory_order_release, std::memory_order_relaxed);
}

bool CudaPost::End(uint64_t patience_ns) { return thread_->End(patience_ns); }

}  // namespace ep
