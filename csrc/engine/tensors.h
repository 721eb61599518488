// What one rank's operations read and write besides the symmetric region: ordinary memory of its
// own, as a framework's tensors would be.
//
// Row tensors have a guard row before the first and after the last, in layout `expert` after each
// expert's last possible one, which no operation may touch. They are sized for the worst routing
// and cost only what is touched.
#ifndef CSRC_ENGINE_TENSORS_H_
#define CSRC_ENGINE_TENSORS_H_

#include <cstdint>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/reference/inputs.h"

namespace ep {

inline constexpr uint32_t kSets = reference::kSets;

// One tensor of `rows` rows with a guard row before it.
class GuardedRows {
 public:
  Status Allocate(uint64_t rows, uint64_t row_bytes, const char* what) {
    row_bytes_ = row_bytes;
    return Mapping::Private((rows + 1) * row_bytes, what, &memory_);
  }
  // Row -1 is the leading guard.
  uint8_t* Row(int64_t row) const {
    return memory_.data() + static_cast<uint64_t>(row + 1) * row_bytes_;
  }
  template <class T>
  T* As() const {
    return reinterpret_cast<T*>(Row(0));
  }
  uint64_t row_bytes() const { return row_bytes_; }
  // From the leading guard on.
  uint64_t bytes() const { return memory_.size(); }

 private:
  Mapping memory_;
  uint64_t row_bytes_ = 0;
};

// Rows [first, first + rows) of the outputs: those of a local expert, or of a source.
struct Block {
  uint64_t first;
  uint32_t rows;
};

class Tensors {
 public:
  // `topk_idx` [tokens, topk] and `weights` [kSets, shape.tokens, topk] are this rank's.
  Status Allocate(const Shape& shape, uint32_t workers, uint32_t tokens, const int32_t* topk_idx,
                  const float* weights);

  DispatchInput Input(uint32_t set) const;
  DispatchOutput Output();
  SequentialPlan Plan(uint32_t worker);
  // Working memory of one worker.
  Working WorkingOf(uint32_t worker);
  Handle MakeHandle();
  // [topk] of one token.
  const float* Weights(uint32_t set, uint32_t token) const {
    return weights_.data() + (uint64_t{set} * shape_.tokens + token) * shape_.topk;
  }

  // Rows from one expert's first to the next one's: the worst case and a guard.
  uint32_t ExpertStride() const { return shape_.MaxRowsPerExpert() + 1; }
  // Rows that row tensors have from row 0 on, guards included.
  static uint64_t OutputRows(const Shape& shape);
  // What one of them takes in all row tensors together, experts' outputs of all sets included.
  static uint64_t OutputRowBytes(const Shape& shape);
  // Where the last dispatch put rows, as it says itself.
  std::vector<Block> Blocks() const;
  const Shape& shape() const { return shape_; }
  uint32_t tokens() const { return tokens_; }
  // Ids of this rank that are not -1.
  uint64_t CountSelections() const;
  const uint32_t* counts() const { return kept_.counts.data(); }
  const uint32_t* rows_from() const { return kept_.rows_from.data(); }
  const uint32_t* begin() const { return kept_.begin.data(); }
  // Rows that the last dispatch sent to each rank, counted in the handle that it left.
  std::vector<uint64_t> CountRowsToRanks() const;

  Mapping token_rows[kSets];  // BF16 [tokens, hidden]
  // What is dispatched instead, where rows are quantised before.
  Mapping token_codes[kSets];   // E4M3 [tokens, hidden]; Quantize::kOutside only
  Mapping token_scales[kSets];  // float [tokens, ScalesPerRow()]; Quantize::kOutside only
  // N is OutputRows().
  GuardedRows received;        // E4M3 or BF16 [N, hidden]
  GuardedRows scales;          // float [N, ScalesPerRow()]; FP8 only
  GuardedRows sources;         // Source [N]
  GuardedRows descriptions;    // RowMeta [N] of Layout::MetaStride(); where no row is fanned out
  Mapping expert_rows[kSets];  // BF16 [N, hidden]
  GuardedRows combined;        // BF16 [tokens + 1, hidden], the last a guard

 private:
  Status AllocateQuantized(uint32_t set);

  Shape shape_ = {};
  uint32_t tokens_ = 0;
  std::vector<int32_t> topk_idx_;
  std::vector<float> weights_;
  std::vector<Destination> destinations_;
  std::vector<uint32_t> chunk_slots_;
  std::vector<Selection> selections_;
  std::vector<uint8_t> selection_count_;
  Mapping copies_;
  struct PlacesMemory {
    explicit PlacesMemory(const Shape& shape)
        : rows_from(shape.ranks),
          first_row(shape.Experts()),
          counts(shape.experts_per_rank),
          begin(shape.Blocks() + 1) {}
    Places Get() { return {rows_from.data(), first_row.data(), counts.data(), begin.data()}; }

    std::vector<uint32_t> rows_from;
    std::vector<uint32_t> first_row;
    std::vector<uint32_t> counts;
    std::vector<uint32_t> begin;
  };
  PlacesMemory kept_{Shape{}};
  // One a worker, the first worker's first.
  std::vector<uint32_t> rows_to_rank_;
  std::vector<uint16_t> selections_of_expert_;
  struct WorkerMemory {
    explicit WorkerMemory(const Shape& shape)
        : places(shape), sum(shape.hidden), tables(combine::TableWords(shape, shape.Chunks())) {}

    PlacesMemory places;
    CrewMemory crew = {};
    std::vector<Bf16> sum;
    std::vector<uint32_t> tables;
  };
  std::vector<WorkerMemory> working_;
};

// Zeros written to push everything else out of the caches.
inline constexpr uint64_t kFlushBytes = 256'000'000;

// Bytes that one rank's own memory takes where it receives rows of `received_selections`
// selections: what Tensors touches, the oracle's routing and the cache flush.
uint64_t PrivateBytes(const Shape& shape, uint64_t received_selections);

}  // namespace ep

#endif  // CSRC_ENGINE_TENSORS_H_
