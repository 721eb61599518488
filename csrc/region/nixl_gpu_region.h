// A region in GPU memory whose peers are mapped by CUDA where they are of one host, and proxied
// where they are not, or where nothing is to be mapped: NIXL brings them messages, out of memory of
// the GPU or of its host.
//
// Where NICs reach the GPU's memory (csrc/region/gpu_direct.h), messages leave from images there
// and arrive in the region itself. Else both lie in pinned memory of the host, which the GPU's
// kernels read and write: UCX would otherwise copy them itself, in small pieces.
#ifndef CSRC_REGION_NIXL_GPU_REGION_H_
#define CSRC_REGION_NIXL_GPU_REGION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "csrc/region/cuda_region.h"
#include "csrc/region/gpu_direct.h"
#include "csrc/region/nixl_peers.h"
#include "csrc/region/nixl_place.h"
#include "csrc/region/nixl_wire.h"
#include "csrc/region/pinned.h"
#include "csrc/region/region.h"

namespace ep {

// Out of which memory messages are sent, and into which.
enum class NicMemory : uint32_t {
  kAuto = EP_NIC_MEMORY_AUTO,  // the GPU's where NICs reach it, else its host's
  kGpu = EP_NIC_MEMORY_GPU,    // whatever UCX makes of it
  kHost = EP_NIC_MEMORY_HOST,
};

struct NixlGpuRegionConfig {
  RegionConfig region;
  NixlOptions nixl;
  int gpu;
  NicMemory memory = NicMemory::kAuto;
  ep_gpu_flush flush = EP_GPU_FLUSH_AUTO;
  // What is not meant to be over NICs reaches GPUs' memory without them.
  bool over_nics = true;
  // Which host this is: ranks that say the same map each other. Nobody does without.
  std::string host = "";
};

class NixlGpuRegion final : public Region {
 public:
  // Allocates zeroed memory on the GPU, and where messages are staged, on its host.
  static Result<std::unique_ptr<NixlGpuRegion>> Create(const NixlGpuRegionConfig& config);
  // Leaves all to the process's end if the network may still use it.
  ~NixlGpuRegion() override;

  uint8_t* data() const override { return memory_->data(); }
  size_t size() const override { return memory_->size(); }
  std::vector<uint8_t> Blob() const override { return blob_; }
  // Ok once bytes have arrived from and at every peer in the memory that messages will be in, so it
  // takes all to return; and whatever UCX does for the first time is then done, for a kernel that
  // waits may hold what that needs.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override;
  Wire* wire() override { return wire_.get(); }
  uint8_t* inbox() const override { return inbox_; }
  std::function<Status()> flush() const override { return flush_; }
  std::optional<Network> network() const override;

 private:
  explicit NixlGpuRegion(const NixlGpuRegionConfig& config);

  // Says in which memory messages are.
  Status Decide();
  // Has `why_` say why NICs do not take messages from the GPU's memory; nothing where they do.
  Status Try();
  Status Allocate();
  Status MakeBlob();
  nixl::Memory Kind() const {
    return staged_ ? nixl::Memory::Host() : nixl::Memory::Gpu(config_.gpu);
  }
  uint64_t AreaOf(uint32_t peer) const {
    return config_.region.pairs.begin + peer * config_.region.pairs.bytes;
  }

  const NixlGpuRegionConfig config_;
  const uint64_t host_;
  GpuDirectFacts facts_;
  bool staged_ = false;
  std::string why_;  // so
  std::function<Status()> flush_ = nullptr;
  // The memory outlives the agent, which may write to it until it ends, and the agent its writes.
  std::unique_ptr<CudaRegion> memory_;
  std::vector<CudaMapping> mapped_;
  std::unique_ptr<CudaRegion> gpu_images_;
  PinnedBytes host_images_;
  PinnedBytes host_inbox_;
  uint8_t* images_ = nullptr;  // an area for each rank
  uint8_t* inbox_ = nullptr;   // with the layout of a region
  std::unique_ptr<NixlPeers> peers_;
  std::unique_ptr<NixlWire> wire_;
  NixlPlace place_;
  std::vector<uint8_t> blob_;
};

}  // namespace ep

#endif  // CSRC_REGION_NIXL_GPU_REGION_H_
