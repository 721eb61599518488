// The least that a dispatch and a combine can cost a CPU: the same rows between the same buffers,
// moved by memory copy alone. No plan, no quantising, no sums, no words, no waits.
#ifndef CSRC_RANK_BENCHMARK_FLOOR_H_
#define CSRC_RANK_BENCHMARK_FLOOR_H_

#include <cstdint>
#include <cstring>
#include <vector>

#include "csrc/rank/cpu_engine.h"

namespace ep {

// Of a shape whose rows fan out and are summed on each rank.
class Floor {
 public:
  explicit Floor(CpuEngine* engine) : engine_(*engine), scratch_(2 * shape().hidden) {}

  // One copy a (token, rank) into that rank's bank, this rank's own too, and one a selection from
  // there to its expert's rows.
  void Dispatch(uint32_t set) {
    const RankContext& context = engine_.context();
    const uint64_t bytes = context.layout.RowBytes();
    const uint8_t* rows = engine_.tensors().token_rows[set].data();
    ForEachDestination([&](uint32_t token, Destination to, bool) {
      std::memcpy(context.There<uint8_t>(to.rank, context.layout.Row(bank_, to.slot)),
                  rows + uint64_t{token} * 2 * shape().hidden, bytes);
    });
    for (uint32_t source = 0; source < shape().ranks; ++source) {
      ForEachRowFrom(source, [&](uint32_t slot, const RowCopies& copies) {
        const auto* row = context.Here<uint8_t>(source, context.layout.Row(bank_, slot));
        for (uint32_t i = 0; i < copies.count; ++i) {
          std::memcpy(engine_.tensors().received.Row(copies.Rows()[i]), row, bytes);
        }
      });
    }
    bank_ = 1 - bank_;
  }

  // One read a selection; for each row of a peer's one write into its home's bank, and there one
  // read; one write a token. What this rank makes of its own tokens goes through no bank. What is
  // only read goes to a row that stays in the cache.
  void Combine(uint32_t set) {
    const RankContext& context = engine_.context();
    const Handle& handle = engine_.handle();
    const uint64_t bytes = sizeof(Bf16) * shape().hidden;
    const uint8_t* rows = engine_.tensors().expert_rows[set].data();
    const auto sum = [&](const RowCopies& copies, uint8_t* to) {
      for (uint32_t i = 0; i < copies.count; ++i) {
        const bool last = i + 1 == copies.count;
        std::memcpy(last ? to : scratch_.data(), rows + copies.Rows()[i] * bytes, bytes);
      }
    };
    for (uint32_t home = 0; home < shape().ranks; ++home) {
      if (home == context.rank) continue;
      ForEachRowFrom(home, [&](uint32_t slot, const RowCopies& copies) {
        sum(copies, context.There<uint8_t>(home, context.layout.Partial(bank_, slot)));
      });
    }
    ForEachDestination([&](uint32_t token, Destination from, bool last) {
      uint8_t* to = last ? engine_.tensors().combined.Row(token) : scratch_.data();
      if (from.rank == context.rank) {
        sum(*handle.Copies(context, context.rank, from.slot), to);
      } else {
        const uint64_t partial = context.layout.Partial(bank_, from.slot);
        std::memcpy(to, context.Here<uint8_t>(from.rank, partial), bytes);
      }
    });
    bank_ = 1 - bank_;
  }

 private:
  const Shape& shape() const { return engine_.context().shape; }

  // Calls body(token, destination, last) on where this rank's rows go.
  template <class Body>
  void ForEachDestination(Body body) const {
    const Handle& handle = engine_.handle();
    const uint32_t most = shape().MaxDestinations();
    const auto is_one = [&](uint32_t token, uint32_t d) {
      return d < most && handle.destinations[token * most + d].rank != kNoDestination.rank;
    };
    for (uint32_t token = 0; token < handle.tokens; ++token) {
      for (uint32_t d = 0; is_one(token, d); ++d) {
        body(token, handle.destinations[token * most + d], !is_one(token, d + 1));
      }
    }
  }

  // Calls body(slot, copies) on the rows that a rank has sent here.
  template <class Body>
  void ForEachRowFrom(uint32_t source, Body body) const {
    const Handle& handle = engine_.handle();
    for (uint32_t slot = 0; slot < handle.places.rows_from[source]; ++slot) {
      body(slot, *handle.Copies(engine_.context(), source, slot));
    }
  }

  CpuEngine& engine_;
  std::vector<uint8_t> scratch_;
  uint32_t bank_ = 0;
};

}  // namespace ep

#endif  // CSRC_RANK_BENCHMARK_FLOOR_H_
