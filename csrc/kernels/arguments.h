// What the kernels are launched with: their arguments and threads, for the host that launches and
// the GPU that runs.
#ifndef CSRC_KERNELS_ARGUMENTS_H_
#define CSRC_KERNELS_ARGUMENTS_H_

#include "csrc/device/gpu_memory.h"
#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/rank.h"

namespace ep::kernels {

// Of a block of ep_count_tiles.
inline constexpr uint32_t kCountThreads = 512;

// What a kernel leaves for the host to read, if anybody wants to know.
struct Stamps {
  // When the first block came in and the last one was through, by the GPU's clock. The host sets
  // them to the largest and the smallest number before.
  uint64_t first_in_ns;
  uint64_t last_out_ns;
};

// ep_dispatch_fp8, ep_dispatch_bf16, and ep_dispatch_fp8_short, ep_dispatch_bf16_short for no more
// chunks than blocks: DispatchMemory, all blocks resident at once.
struct DispatchArguments {
  RankContext context;
  DispatchMemory memory;
  DispatchInput input;
  DispatchOutput output;
  Handle handle;
  const uint32_t* tile_begins;  // what ep_count_tiles left; null for one tile
  const uint32_t* aborted;      // set by the host
  uint32_t* sms;                // [blocks]: the multiprocessor that each block ran on
  Stamps* stamps;               // or null
};

// ep_combine, ep_combine_by_expert, and ep_combine_short likewise: CombineMemory, all blocks
// resident at once.
struct CombineArguments {
  RankContext context;
  CombineMemory memory;
  Handle handle;
  const Bf16* expert_rows;
  Bf16* combined;
  const uint32_t* aborted;
  uint32_t* sms;
  Stamps* stamps;
};

// ep_count_tiles: DispatchMemory, any number of blocks.
struct CountArguments {
  RankContext context;
  DispatchMemory memory;
  const int32_t* topk_idx;
  uint32_t tokens;
  TileMemory tiles;
  Stamps* stamps;
};
static_assert(sizeof(DispatchArguments) <= 4096, "a kernel takes 4 KB of parameters");

// Of a block of ep_copy.
inline constexpr uint32_t kCopyThreads = 512;

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
