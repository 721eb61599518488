#include "csrc/region/nixl_gpu_region.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <utility>

#include "csrc/region/cuda_status.h"
#include "csrc/region/host_identity.h"
#include "csrc/region/nixl_message.h"
#include "csrc/region/nixl_trial.h"

namespace ep {
namespace {

uintptr_t Address(const uint8_t* at) { return reinterpret_cast<uintptr_t>(at); }

}  // namespace

NixlGpuRegion::NixlGpuRegion(const NixlGpuRegionConfig& config)
    : config_(config), host_(HashOfHost(config.host)) {}

Result<std::unique_ptr<NixlGpuRegion>> NixlGpuRegion::Create(const NixlGpuRegionConfig& config) {
  std::unique_ptr<NixlGpuRegion> made(new NixlGpuRegion(config));
  const RegionConfig& of = config.region;
  EP_TRY(CheckPairAreas(of));
  EP_TRY(CudaStatus(cudaSetDevice(config.gpu), "use GPU " + std::to_string(config.gpu)));
  made->memory_ = EP_TRY(CudaRegion::Create(of.bytes));
  EP_TRY(made->Decide());
  made->peers_ = EP_TRY(NixlPeers::Create(of, config.nixl));
  EP_TRY(made->Allocate());
  EP_TRY(made->MakeBlob());
  made->wire_ = std::make_unique<NixlWire>(made->peers_.get(), of.ranks, of.pairs.bytes);
  return made;
}

NixlGpuRegion::~NixlGpuRegion() {
  if (wire_ == nullptr || !wire_->UnderWay()) return;
  static_cast<void>(wire_.release());
  static_cast<void>(peers_.release());
  static_cast<void>(memory_.release());
  static_cast<void>(gpu_images_.release());
  host_images_.Leave();
  host_inbox_.Leave();
}

Status NixlGpuRegion::Decide() {
  EP_TRY(ReadGpuDirectFacts(config_.gpu, &facts_));
  const GpuDirect direct = DecideGpuDirect(facts_);
  const bool has_nic = config_.over_nics && HasActiveRdmaPort();
  switch (config_.memory) {
    case NicMemory::kAuto:
      if (!config_.over_nics) break;
      why_ = has_nic ? direct.why : "this host has no NIC with an active RDMA port";
      if (why_.empty()) EP_TRY(Try());
      staged_ = !why_.empty();
      break;
    case NicMemory::kGpu:
      if (has_nic && direct.flush == GpuFlush::kNever) {
        return {Code::kInvalid, "send from the memory of GPU " + std::to_string(config_.gpu) +
                                    ": " + direct.why + "; try --nic-memory=host"};
      }
      why_ = "--nic-memory=gpu";
      break;
    case NicMemory::kHost:
      staged_ = true;
      why_ = "--nic-memory=host";
      break;
  }
  const bool flushes =
      config_.flush == EP_GPU_FLUSH_ALWAYS ||
      (config_.flush == EP_GPU_FLUSH_AUTO && has_nic && direct.flush == GpuFlush::kHost);
  if (!staged_ && flushes) flush_ = FlushGpuDirectWrites;
  return {};
}

// CUDA allows it, and yet UCX copies memory that the NICs' driver does not know.
Status NixlGpuRegion::Try() {
  constexpr uint64_t kTryBytes = uint64_t{1} << 17;
  constexpr uint64_t kLeast = 4096;  // what is shorter may be copied
  Result<std::vector<nixl::PutProtocol>> puts =
      TryWrite(config_.nixl, nixl::Memory::Gpu(config_.gpu),
               {memory_->data(), std::min<size_t>(kTryBytes, memory_->size())},
               config_.region.wait_timeout_ns);
  if (puts.status().ok()) {
    why_ = nixl::WhyNotByNics(*puts, "cuda", kLeast);
    return {};
  }
  why_ = puts.status().text();
  if (puts.status().code() != Code::kTimeout) return {};
  static_cast<void>(memory_.release());
  return puts.status().In("try to send from the memory of GPU " + std::to_string(config_.gpu) +
                          " (--nic-memory=host does without)");
}

std::optional<Network> NixlGpuRegion::network() const {
  Network network = peers_->network();
  network.gpu_direct = facts_;
  network.flushes = flush_ != nullptr;
  return network;
}

Status NixlGpuRegion::Allocate() {
  const RegionConfig& of = config_.region;
  const uint64_t image_bytes = of.ranks * of.pairs.bytes;
  nixl::Range ranges[2];
  if (staged_) {
    EP_TRY(PinnedBytes::Allocate(image_bytes, "messages to send", &host_images_));
    EP_TRY(PinnedBytes::Allocate(of.pairs.begin + image_bytes, "messages to come", &host_inbox_));
    images_ = host_images_.As();
    inbox_ = host_inbox_.As();
    ranges[1] = {Address(inbox_), host_inbox_.size()};
  } else {
    gpu_images_ = EP_TRY(CudaRegion::Create(image_bytes));
    images_ = gpu_images_->data();
    inbox_ = memory_->data();
    ranges[1] = {Address(inbox_), of.bytes};
  }
  ranges[0] = {Address(images_), image_bytes};
  return peers_->agent().Register(ranges, Kind());
}

Status NixlGpuRegion::MakeBlob() {
  std::vector<uint8_t> peers;
  EP_TRY(peers_->MakeBlob(&peers));
  place_ = {.bytes = size(),
            .inbox = Address(inbox_),
            .host = host_,
            .on_gpu = 1,
            .staged = staged_,
            .gpu = static_cast<uint32_t>(config_.gpu)};
  blob_ = MakePlaceBlob(place_, memory_->Blob(), peers);
  return {};
}

Status NixlGpuRegion::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                              std::vector<Reach>* reached) {
  EP_TRY(CudaStatus(cudaSetDevice(config_.gpu), "use GPU " + std::to_string(config_.gpu)));
  std::vector<std::span<const uint8_t>> rest(blobs.size());
  std::vector<NixlWire::Ends> ends(blobs.size());
  reached->assign(blobs.size(), {Reached::kOwn, data()});
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
    if (peer == rank) continue;
    const NixlPlaceBlob told = EP_TRY(ReadPlaceBlob(blobs[peer], place_, rank, peer));
    const NixlPlace& place = told.place;
    if (place_.Maps(place)) {
      mapped_.push_back(EP_TRY(memory_->Map(told.memory, peer)));
      (*reached)[peer] = {Reached::kMapped, mapped_.back().data(), nullptr,
                          "it is on the same host"};
      continue;
    }
    rest[peer] = told.peers;
    uint8_t* const image = images_ + peer * config_.region.pairs.bytes;
    ends[peer] = {.from = Address(image),
                  .to = place.inbox + AreaOf(rank),
                  .from_memory = Kind(),
                  .to_memory = place.staged != 0 ? nixl::Memory::Host()
                                                 : nixl::Memory::Gpu(static_cast<int>(place.gpu))};
    (*reached)[peer] = {staged_ ? Reached::kStaged : Reached::kProxiedGpu, nullptr, image, why_};
  }
  EP_TRY(peers_->Connect(rest));
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) wire_->Reach(peer, ends[peer]);
  EP_TRY(wire_->Probe(config_.region.wait_timeout_ns, reached));
  // Nobody sends before all have been probed.
  return peers_->Meet();
}

}  // namespace ep
