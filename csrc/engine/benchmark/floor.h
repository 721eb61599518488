// The least that a dispatch and a combine can cost a CPU: the same rows between the same buffers,
// moved by memory copy alone. No plan, no quantising, no sums, no flags, no waits.
#ifndef CSRC_ENGINE_BENCHMARK_FLOOR_H_
#define CSRC_ENGINE_BENCHMARK_FLOOR_H_

#include <cstdint>
#include <cstring>
#include <vector>

#include "csrc/engine/cpu.h"

namespace ep {

class Floor {
 public:
  explicit Floor(CpuEngine* engine) : engine_(*engine), scratch_(2 * shape().hidden) {}

  // One copy a (token, rank) to the peer's region, and one a selection to the expert's slot.
  void Dispatch(uint32_t set) {
    const RankContext& context = engine_.context();
    const Handle& handle = engine_.handle();
    const uint64_t bytes = context.layout.RowBytes();
    const uint8_t* rows = engine_.tensors().token_rows[set].data();
    for (uint32_t token = 0; token < handle.tokens; ++token) {
      for (uint32_t d = 0; d < handle.destination_count[token]; ++d) {
        const Destination to = handle.destinations[token * shape().MaxDestinations() + d];
        std::memcpy(context.In<uint8_t>(to.rank, context.layout.Row(bank_, context.rank, to.slot)),
                    rows + uint64_t{token} * 2 * shape().hidden, bytes);
      }
    }
    ForEachRow([&](uint32_t source, uint32_t slot, const RowMeta& meta) {
      const auto* row = context.In<uint8_t>(context.rank, context.layout.Row(bank_, source, slot));
      for (uint32_t i = 0; i < meta.selections; ++i) {
        const uint64_t to = handle.places.Row(context, source, meta.Placements()[i]);
        std::memcpy(engine_.tensors().received.Row(static_cast<int64_t>(to)), row, bytes);
      }
    });
    bank_ = 1 - bank_;
  }

  // One read a selection, one write and one read a (token, rank), one write a token. What is only
  // read goes to a row that stays in the cache.
  void Combine(uint32_t set) {
    const RankContext& context = engine_.context();
    const Handle& handle = engine_.handle();
    const uint64_t bytes = sizeof(Bf16) * shape().hidden;
    const uint8_t* rows = engine_.tensors().expert_rows[set].data();
    ForEachRow([&](uint32_t home, uint32_t slot, const RowMeta& meta) {
      auto* partial = context.In<uint8_t>(context.rank, context.layout.Partial(bank_, home, slot));
      for (uint32_t i = 0; i < meta.selections; ++i) {
        const uint64_t from = handle.places.Row(context, home, meta.Placements()[i]);
        const bool last = i + 1 == meta.selections;
        std::memcpy(last ? partial : scratch_.data(), rows + from * bytes, bytes);
      }
    });
    for (uint32_t token = 0; token < handle.tokens; ++token) {
      const uint32_t count = handle.destination_count[token];
      for (uint32_t d = 0; d < count; ++d) {
        const Destination from = handle.destinations[token * shape().MaxDestinations() + d];
        const auto* partial =
            context.In<uint8_t>(from.rank, context.layout.Partial(bank_, context.rank, from.slot));
        const bool last = d + 1 == count;
        std::memcpy(last ? engine_.tensors().combined.Row(token) : scratch_.data(), partial, bytes);
      }
    }
    bank_ = 1 - bank_;
  }

 private:
  const Shape& shape() const { return engine_.context().shape; }

  template <class Body>
  void ForEachRow(Body body) const {
    const RankContext& context = engine_.context();
    const Handle& handle = engine_.handle();
    for (uint32_t source = 0; source < shape().ranks; ++source) {
      for (uint32_t slot = 0; slot < handle.places.rows_from[source]; ++slot) {
        body(source, slot, handle.Meta(context, source, slot));
      }
    }
  }

  CpuEngine& engine_;
  std::vector<uint8_t> scratch_;
  uint32_t bank_ = 0;
};

}  // namespace ep

#endif  // CSRC_ENGINE_BENCHMARK_FLOOR_H_
