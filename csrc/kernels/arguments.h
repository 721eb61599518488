// What the kernels are launched with: their arguments, threads and fast memory, for the host that
// launches and the GPU that runs.
#ifndef CSRC_KERNELS_ARGUMENTS_H_
#define CSRC_KERNELS_ARGUMENTS_H_

#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/rank.h"

namespace ep::kernels {

// Of every block; a worker of a rank is one block.
inline constexpr uint32_t kThreads = 512;
inline constexpr uint32_t kCrews = kThreads / 32;
inline constexpr uint32_t kPieceChannels = 512;

// A worker's working memory, in this order, in the block's dynamic shared memory.
class SharedMemory {
 public:
  constexpr explicit SharedMemory(const Shape& shape)
      : plans_(0),
        block_begin_(plans_ + sizeof(TokenPlan) * kCrews),
        words_(block_begin_ + 4 * (shape.ranks + shape.experts_per_rank)),
        begin_(words_ + 4 * TileBits::SizeWords(shape)),
        rows_from_(begin_ + 4 * TileCounts(shape)),
        first_row_(rows_from_ + 4 * shape.ranks),
        counts_(first_row_ + 4 * shape.Experts()),
        end_(counts_ + 4 * shape.experts_per_rank) {}

  constexpr uint32_t SizeBytes() const { return end_; }

  TokenPlan* Plan(uint8_t* base, uint32_t crew) const {
    return reinterpret_cast<TokenPlan*>(base + plans_) + crew;
  }
  uint32_t* Words(uint8_t* base) const { return reinterpret_cast<uint32_t*>(base + words_); }
  uint32_t* Begin(uint8_t* base) const { return reinterpret_cast<uint32_t*>(base + begin_); }
  Places PlacesIn(uint8_t* base) const {
    return {reinterpret_cast<uint32_t*>(base + rows_from_),
            reinterpret_cast<uint32_t*>(base + first_row_),
            reinterpret_cast<uint32_t*>(base + counts_),
            reinterpret_cast<uint32_t*>(base + block_begin_)};
  }

 private:
  uint32_t plans_;
  uint32_t block_begin_;
  uint32_t words_;
  uint32_t begin_;
  uint32_t rows_from_;
  uint32_t first_row_;
  uint32_t counts_;
  uint32_t end_;
};

// When the first block came in and the last one was through, by the GPU's clock. The host sets
// them to the largest and the smallest number before.
struct Stamps {
  uint64_t first_in_ns;
  uint64_t last_out_ns;
};

// ep_dispatch: SharedMemory::SizeBytes(), all blocks resident at once.
struct DispatchArguments {
  RankContext context;
  DispatchInput input;
  DispatchOutput output;
  Handle handle;
  const uint32_t* tile_counts;  // [tiles, TileCounts], what ep_count_tiles left; null for one tile
  const uint32_t* aborted;      // set by the host
  Stamps* stamps;               // or null
};

// ep_combine: SharedMemory::SizeBytes(), all blocks resident at once.
struct CombineArguments {
  RankContext context;
  Handle handle;
  const Bf16* expert_rows;
  Bf16* combined;
  const uint32_t* aborted;
  Stamps* stamps;
};

// ep_count_tiles: one block a tile, SharedMemory::SizeBytes().
struct CountArguments {
  Shape shape;
  const int32_t* topk_idx;
  uint32_t tokens;
  uint32_t* tile_counts;
};

// ep_copy: any number of blocks, no shared memory. Multiples of 16 bytes, some distinct.
struct CopyArguments {
  const uint8_t* from;
  uint8_t* to;
  uint64_t bytes;           // altogether
  uint64_t distinct_bytes;  // that they are: what is beyond is copied from their begin anew
};

// ep_round_trips: one block of one warp on each of two GPUs. Whoever is first flags turn + 1,
// turn + 2, … and awaits the other's same; the other answers.
struct RoundTripArguments {
  const uint64_t* mine;
  uint64_t* peers;
  uint64_t turn;
  uint32_t count;
  bool first;
  uint64_t timeout_ns;    // of each trip
  uint32_t* overdue;      // set if the peer falls silent, or the host aborts
  uint64_t* duration_ns;  // [count]
  const uint32_t* aborted;
};

}  // namespace ep::kernels

#endif  // CSRC_KERNELS_ARGUMENTS_H_
