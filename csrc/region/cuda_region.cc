#include "csrc/region/cuda_region.h"

#include <cuda_runtime_api.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

// From this size on an allocation has pages of its own. A smaller one shares them, and a handle
// would give away all that lies there, at an address that is not the region's.
constexpr size_t kPageBytes = size_t{2} << 20;

// Tells this process from one of the same number in another container.
uint64_t ProcessRandom() {
  static const uint64_t random = [] {
    uint64_t value = 0;
    // Up to 256 bytes come whole, once the machine has started.
    [[maybe_unused]] const ssize_t bytes = getrandom(&value, sizeof(value), 0);
    return value;
  }();
  return random;
}

Status GpuUuid(int device, std::array<uint8_t, 16>* uuid) {
  cudaDeviceProp properties;
  EP_TRY(CudaStatus(cudaGetDeviceProperties(&properties, device),
                    "examine GPU " + std::to_string(device)));
  std::copy_n(properties.uuid.bytes, uuid->size(), uuid->begin());
  return {};
}

// Adds to a refusal why GPU `device` may have been refused memory of the GPU `uuid`, and what to
// try; nothing where these two GPUs are no reason.
Status WithReason(const Status& refusal, int device, const std::array<uint8_t, 16>& uuid) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return refusal;
  for (int other = 0; other < count; ++other) {
    std::array<uint8_t, 16> its_uuid;
    if (!GpuUuid(other, &its_uuid).ok() || its_uuid != uuid) continue;
    int can = 1;
    if (other == device || cudaDeviceCanAccessPeer(&can, device, other) != cudaSuccess || can) {
      return refusal;
    }
    return {refusal.code(),
            refusal.text() + "; GPU " + std::to_string(device) + " has no peer access to GPU " +
                std::to_string(other),
            EP_HINT_USE_NIXL};
  }
  return {refusal.code(),
          refusal.text() +
              "; this process does not see that GPU: show all ranks the same CUDA_VISIBLE_DEVICES"};
}

Status Refused(cudaError_t error, const std::string& what, int device, const CudaBlob& blob) {
  const Status status = CudaStatus(error, what);
  return status.ok() ? status : WithReason(status, device, blob.gpu);
}

// Lets `device`, the current one, use memory of this process on another GPU.
cudaError_t EnablePeer(const void* address, int device) {
  cudaPointerAttributes attributes;
  if (const cudaError_t error = cudaPointerGetAttributes(&attributes, address)) return error;
  if (attributes.type != cudaMemoryTypeDevice) return cudaErrorInvalidDevicePointer;
  if (attributes.device == device) return cudaSuccess;
  const cudaError_t error = cudaDeviceEnablePeerAccess(attributes.device, 0);
  if (error != cudaErrorPeerAccessAlreadyEnabled) return error;
  cudaGetLastError();
  return cudaSuccess;
}

}  // namespace

CudaMapping::CudaMapping(uint8_t* data, size_t size, bool opened)
    : data_(data), size_(size), opened_(opened) {}

CudaMapping::CudaMapping(CudaMapping&& other) noexcept { *this = std::move(other); }

CudaMapping& CudaMapping::operator=(CudaMapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(opened_, other.opened_);
  return *this;
}

CudaMapping::~CudaMapping() {
  if (opened_) cudaIpcCloseMemHandle(data_);
}

CudaRegion::CudaRegion(uint8_t* data, int device) : data_(data), device_(device) {}

CudaRegion::~CudaRegion() { cudaFree(data_); }

Result<std::unique_ptr<CudaRegion>> CudaRegion::Create(size_t bytes) {
  const std::string what = "create a GPU region of " + std::to_string(bytes) + " bytes";
  int device = 0;
  EP_TRY(CudaStatus(cudaGetDevice(&device), what));
  void* memory = nullptr;
  const size_t pages = std::max<size_t>((bytes + kPageBytes - 1) / kPageBytes, 1);
  if (const Status status = CudaStatus(cudaMalloc(&memory, pages * kPageBytes), what);
      !status.ok()) {
    size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) return status;
    return {status.code(), status.text() + " (" + std::to_string(free) + " of " +
                               std::to_string(total) + " bytes are free on GPU " +
                               std::to_string(device) + ")"};
  }
  std::unique_ptr<CudaRegion> made(new CudaRegion(static_cast<uint8_t*>(memory), device));
  EP_TRY(CudaStatus(cudaMemset(memory, 0, bytes), what + ": clear it"));
  // It is cleared when the GPU gets there, and peers do not wait for this GPU's streams.
  EP_TRY(CudaStatus(cudaDeviceSynchronize(), what + ": clear it"));
  EP_TRY(made->Describe(bytes));
  return made;
}

Status CudaRegion::Describe(size_t bytes) {
  if (reinterpret_cast<uintptr_t>(data_) % kPageBytes != 0) {
    return {Code::kState, "share a GPU region: CUDA put it inside a page of 2 MiB"};
  }
  blob_.bytes = bytes;
  blob_.address = reinterpret_cast<uintptr_t>(data_);
  blob_.process_random = ProcessRandom();
  blob_.pid = static_cast<uint64_t>(getpid());
  EP_TRY(CudaStatus(cudaIpcGetMemHandle(&blob_.handle, data_), "share a GPU region"));
  return GpuUuid(device_, &blob_.gpu);
}

Status CudaRegion::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                           std::vector<Reach>* reached) {
  EP_TRY(CudaStatus(cudaSetDevice(device_), "use GPU " + std::to_string(device_)));
  reached->assign(blobs.size(), {Reached::kOwn, data_});
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
    if (peer == rank) continue;
    peers_.push_back(EP_TRY(Map(blobs[peer], peer)));
    (*reached)[peer] = {Reached::kMapped, peers_.back().data()};
  }
  return {};
}

Result<CudaMapping> CudaRegion::Map(std::span<const uint8_t> encoded, uint32_t rank) const {
  const std::string owner = "the GPU region of rank " + std::to_string(rank);
  CudaBlob blob;
  EP_TRY(CudaBlob::Decode(encoded, size(), owner, &blob));
  EP_TRY(CudaStatus(cudaSetDevice(device_), "map " + owner));
  if (blob.pid == blob_.pid && blob.process_random == blob_.process_random) {
    auto* const address = reinterpret_cast<uint8_t*>(blob.address);
    EP_TRY(Refused(EnablePeer(address, device_), "map " + owner, device_, blob));
    return CudaMapping(address, size(), /*opened=*/false);
  }
  void* address = nullptr;
  EP_TRY(Refused(cudaIpcOpenMemHandle(&address, blob.handle, cudaIpcMemLazyEnablePeerAccess),
                 "map " + owner + " (process " + std::to_string(blob.pid) + ")", device_, blob));
  return CudaMapping(static_cast<uint8_t*>(address), size(), /*opened=*/true);
}

}  // namespace ep
