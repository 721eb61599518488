// How a run's tokens are cut into chunks, each of which a word announces, or whether their rows
// travel in packets: the same on all ranks, as it is part of the layout, and chosen for who runs
// it.
#ifndef CSRC_RANK_CHUNKS_H_
#define CSRC_RANK_CHUNKS_H_

#include <algorithm>
#include <cstdint>

#include "csrc/device/gpu_memory.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/shape.h"
#include "csrc/rank/choices.h"

namespace ep {

// A chunk a worker: what a thread has pushed, another thread lays out.
inline Shape ChunkedForThreads(Shape shape, uint32_t threads) {
  shape.chunk_tokens = std::max(1u, (shape.tokens + threads - 1) / threads);
  return shape;
}

// As small as peers can use them: their rows come while those of others are on their way. A word
// costs a fence, so that there are at most 512 for each peer and 8,192 in all.
inline Shape ChunkedForGpu(Shape shape) {
  constexpr uint32_t kMostChunks = 512;
  constexpr uint32_t kMostWords = 8192;
  shape.chunk_tokens = (shape.tokens + kMostChunks - 1) / kMostChunks;
  while (shape.Chunks() * shape.ranks > kMostWords) shape.chunk_tokens *= 2;
  return shape;
}

// Whether a GPU's block has room for all that it plans and keeps where rows travel in packets,
// however few blocks there are.
inline bool PacketsFit(Shape shape) {
  constexpr uint32_t kFastBytes = 227 << 10;  // of H100, H200 and B200
  shape.packets = true;
  return kernels::DispatchMemory(shape, 1, kernels::kPackets).SizeBytes() <= kFastBytes &&
         kernels::CombineMemory(shape, 1, kernels::kPackets).SizeBytes() <= kFastBytes;
}

// Whether rows travel in packets between GPUs, if their memory is mapped: where it is chosen, and
// else where it was faster on two H100s (docs/results/2x-h100.md), by the pieces of 512 channels
// that a rank's tokens are. With few multiprocessors packing takes longer than words cost.
inline bool PacketsForGpu(const Shape& shape, const ep_choices& choices, bool mapped) {
  constexpr uint32_t kMostPieces = 4096;
  constexpr uint32_t kMostPiecesOfSm = 70;
  if (!mapped || !CanPacket(shape) || !PacketsFit(shape)) return false;
  if (choices.kernel == EP_KERNEL_PACKETS) return true;
  if (choices.kernel != EP_KERNEL_AUTO && choices.kernel != ep_kernel{}) return false;
  const uint32_t pieces = shape.tokens * PacketCounts(shape).pieces;
  return pieces <= kMostPieces && (choices.sms == 0 || pieces <= kMostPiecesOfSm * choices.sms);
}

// The shape as a rank on a GPU has it.
inline Shape ShapeForGpu(Shape shape, const ep_choices& choices, bool mapped) {
  shape = ChunkedForGpu(shape);
  shape.packets = PacketsForGpu(shape, choices, mapped);
  return shape;
}

}  // namespace ep

#endif  // CSRC_RANK_CHUNKS_H_
