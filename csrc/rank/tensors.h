// What one rank's operations read and write besides the symmetric region: ordinary memory of its
// own, as a framework's tensors would be.
//
// Row tensors have a guard row before the first and after the last, in layout `expert` after each
// expert's last possible one, which no operation may touch. They are sized for the worst routing
// and cost only what is touched.
#ifndef CSRC_RANK_TENSORS_H_
#define CSRC_RANK_TENSORS_H_

#include <cstdint>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/check/inputs.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/rank/allocations.h"

namespace ep {

inline constexpr uint32_t kSets = reference::kSets;

// A tensor with a guard row before its first.
class GuardedRows {
 public:
  // Without rows there is none.
  Status Allocate(const Allocation& size) {
    if (size.rows == 0) return {};
    row_bytes_ = size.row_bytes;
    return Mapping::Private(size.Bytes(), size.name, &memory_);
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

  // csrc/rank/allocations.h has types and sizes.
  Mapping token_rows[kSets];
  // What is dispatched instead, where rows are quantised before.
  Mapping token_codes[kSets];
  Mapping token_scales[kSets];
  GuardedRows received;
  GuardedRows scales;
  GuardedRows sources;
  GuardedRows descriptions;  // where no row is fanned out
  Mapping expert_rows[kSets];
  GuardedRows combined;

 private:
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

}  // namespace ep

#endif  // CSRC_RANK_TENSORS_H_
