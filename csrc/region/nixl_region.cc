#include "csrc/region/nixl_region.h"

#include <cuda_runtime_api.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "csrc/region/cuda_status.h"
#include "csrc/region/nixl_message.h"
#include "csrc/region/nixl_reach.h"

namespace ep {
namespace {

Status ReadFromGpu(void* to, uintptr_t from, size_t bytes) {
  return CudaStatus(cudaMemcpy(to, reinterpret_cast<const void*>(from), bytes, cudaMemcpyDefault),
                    "read a view of NIXL's");
}

}  // namespace

Result<std::unique_ptr<NixlRegion>> NixlRegion::Create(const NixlRegionConfig& config) {
  std::unique_ptr<NixlRegion> made(new NixlRegion(config));
  const uint64_t bytes = config.region.bytes;
  EP_TRY(CudaStatus(cudaSetDevice(config.gpu), "use GPU " + std::to_string(config.gpu)));
  made->memory_ = EP_TRY(CudaRegion::Create(bytes));
  made->peers_ = EP_TRY(NixlPeers::Create(config.region, config.nixl));
  const nixl::Range ours[] = {{reinterpret_cast<uintptr_t>(made->data()), bytes}};
  EP_TRY(made->peers_->agent().Register(ours, nixl::Memory::Gpu(config.gpu)));
  EP_TRY(made->MakeBlob());
  return made;
}

NixlRegion::~NixlRegion() {
  if (waits_) {
    // NIXL may yet use all of it. The process is about to end.
    static_cast<void>(peers_.release());
    static_cast<void>(memory_.release());
    return;
  }
  // A view that NIXL does not take back ends with its agent.
  if (view_ != nullptr) static_cast<void>(peers_->agent().ReleaseView(view_));
}

NixlRegion::Place NixlRegion::Ours() const {
  return {.version = kVersion,
          .bytes = size(),
          .region = reinterpret_cast<uintptr_t>(memory_->data()),
          .gpu = static_cast<uint64_t>(config_.gpu)};
}

Status NixlRegion::MakeBlob() {
  std::vector<uint8_t> rest;
  EP_TRY(peers_->MakeBlob(&rest));
  const Place place = Ours();
  const std::span<const uint8_t> bytes = BytesOf(place);
  blob_.assign(bytes.begin(), bytes.end());
  blob_.insert(blob_.end(), rest.begin(), rest.end());
  return {};
}

Status NixlRegion::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                           std::vector<Reach>* reached) {
  std::vector<Place> places;
  std::vector<std::span<const uint8_t>> rest;
  for (const std::span<const uint8_t> blob : blobs) {
    Place place = {};
    if (!ReadFrom(blob, &place) || place.version != kVersion || place.bytes != size()) {
      return {Code::kProtocol, "connect rank " + std::to_string(rank) + " to rank " +
                                   std::to_string(places.size()) +
                                   " over NIXL: its GPU memory is not as ours; do all ranks run "
                                   "the same plan with the same build?"};
    }
    places.push_back(place);
    rest.push_back(blob.subspan(sizeof(place)));
  }
  EP_TRY(CudaStatus(cudaSetDevice(config_.gpu), "use GPU " + std::to_string(config_.gpu)));
  reached->assign(blobs.size(), {Reached::kOwn, data()});
  EP_TRY(peers_->Connect(rest));
  if (blobs.size() == 1) return {};
  EP_TRY(MakeView(places));
  // A rank that has its view need not be one that its peers have reached.
  EP_TRY(peers_->Meet());
  std::vector<nixl::ViewEntry> entries;
  EP_TRY(nixl::ReadView(reinterpret_cast<uintptr_t>(view_), reached->size() - 1, ReadFromGpu,
                        &entries));
  return ReachPeers(entries, rank, reached);
}

Status NixlRegion::MakeView(const std::vector<Place>& places) {
  const uint32_t rank = config_.region.rank;
  std::vector<nixl::PeerRange> ranges;
  for (uint32_t peer = 0; peer < places.size(); ++peer) {
    if (peer == rank) continue;
    const Place& at = places[peer];
    ranges.push_back({peers_->agent_name(peer), {at.region, size()}, at.gpu});
  }
  // NIXL waits for its peers without a deadline, so it does in a thread that can be left behind.
  struct Made {
    std::promise<Status> status;
    nixl::capi::MemoryView* view = nullptr;
  };
  const auto made = std::make_shared<Made>();
  std::future<Status> answer = made->status.get_future();
  std::thread([made, ranges = std::move(ranges), agent = &peers_->agent(), gpu = config_.gpu] {
    made->status.set_value([&]() -> Status {
      EP_TRY(CudaStatus(cudaSetDevice(gpu), "use GPU " + std::to_string(gpu)));
      return agent->ViewOf(ranges, &made->view);
    }());
  }).detach();
  const uint64_t timeout_ns = config_.region.wait_timeout_ns;
  if (answer.wait_for(std::chrono::nanoseconds(timeout_ns)) != std::future_status::ready) {
    waits_ = true;
    return {Code::kTimeout, "connect over NIXL: no view of the peers' GPU memory within " +
                                Milliseconds(timeout_ns) +
                                "; have peers ended, or can UCX's transports for GPUs not reach "
                                "them?"};
  }
  Status status = answer.get();
  view_ = made->view;
  return status;
}

}  // namespace ep
