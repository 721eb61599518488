// What a rank allocates, as one list: who allocates takes sizes from it, and who wants to know what
// a run needs adds it up.
#ifndef CSRC_RANK_ALLOCATIONS_H_
#define CSRC_RANK_ALLOCATIONS_H_

#include <cstdint>
#include <vector>

#include "csrc/protocol/shape.h"

namespace ep {

// Zeros written to push everything else out of a GPU's caches.
inline constexpr uint64_t kGpuFlushBytes = 256'000'000;

// A tensor or an array of a rank.
enum class Item {
  kTokenRows,       // BF16 [tokens, hidden]
  kTokenCodes,      // E4M3 [tokens, hidden]; Quantize::kOutside only
  kTokenScales,     // float [tokens, ScalesPerRow()]; Quantize::kOutside only
  kIds,             // int32 [tokens, topk]
  kWeights,         // float [kSets, shape.tokens, topk]
  kReceived,        // E4M3 or BF16 [N, hidden]
  kReceivedScales,  // float [N, ScalesPerRow()]
  kSources,         // Source [N]
  kDescriptions,    // RowMeta [N] of Layout::MetaStride(); where no row is fanned out
  kExpertRows,      // BF16 [N, hidden]
  kCombined,        // BF16 [tokens, hidden]
  kDestinations,
  kChunkSlots,
  kSelections,       // CombineSum::kExpert only
  kSelectionCounts,  // as well
  kCopies,           // where rows are fanned out
};

struct Allocation {
  Item item;
  const char* name;
  // How many there are: kSets, or one.
  uint32_t sets;
  // Of each, guards included.
  uint64_t rows;
  uint64_t row_bytes;
  // Whether its rows are those that a rank receives. All are reserved; a host's memory holds only
  // what is touched, a GPU's all.
  bool received = false;

  uint64_t Bytes() const { return rows * row_bytes; }
};

// Of a rank with so many tokens; `shape` has no Problem.
class Allocations {
 public:
  Allocations(const Shape& shape, uint32_t tokens);

  // Rows that row tensors have from row 0 on, guards included: N.
  static uint64_t OutputRows(const Shape& shape);

  // One of the list; without rows if this shape has none.
  const Allocation& Of(Item item) const;

  // Bytes of a host's memory that are touched where rows of so many selections are received.
  uint64_t HostBytes(uint64_t received_selections) const;
  // Bytes of a GPU's memory.
  uint64_t GpuBytes() const;
  // What the rows take that any routing could fill, with the experts' outputs of all sets.
  uint64_t OutputBytes() const;

 private:
  Shape shape_;
  std::vector<Allocation> list_;
};

// Bytes of a host that the routing of all ranks takes, which the oracle keeps.
uint64_t RoutingBytes(const Shape& shape);

// Bytes of a GPU that the plans of tiles take, where a rank has several; else none.
struct TilePlanBytes {
  uint64_t counts = 0;
  uint64_t begins = 0;

  TilePlanBytes(const Shape& shape, uint32_t tokens, uint32_t tile_tokens);
  uint64_t Sum() const { return counts + begins; }
};

}  // namespace ep

#endif  // CSRC_RANK_ALLOCATIONS_H_
