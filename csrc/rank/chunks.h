// How a run's tokens are cut into chunks, each of which a word announces: the same on all ranks, as
// it is part of the layout, and chosen for who runs it.
#ifndef CSRC_RANK_CHUNKS_H_
#define CSRC_RANK_CHUNKS_H_

#include <algorithm>
#include <cstdint>

#include "csrc/protocol/shape.h"

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

}  // namespace ep

#endif  // CSRC_RANK_CHUNKS_H_
