// What a dispatch tells of its rows before they move: each peer how many there will be, and how
// many each of its experts gets. Then all know where every row will lie.
#ifndef CSRC_PROTOCOL_COUNT_H_
#define CSRC_PROTOCOL_COUNT_H_

#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/rank.h"

namespace ep {

// Puts how many selections global expert `expert` has to the rank that holds it.
template <class Device>
void PutCount(Device& device, const RankContext& context, uint32_t bank, uint32_t expert,
              uint32_t selections) {
  const uint32_t experts = context.shape.experts_per_rank;
  auto* counts = context.There<uint16_t>(expert / experts, context.layout.Counts(bank));
  device.Store(counts + expert % experts, static_cast<uint16_t>(selections));
}

// Tells the i-th peer that its counts are there, and how many rows will come.
template <class Device, class RowsTo>
void RaiseCounts(Device& device, const RankContext& context, Epoch epoch, uint32_t i,
                 RowsTo rows_to) {
  const uint32_t peer = context.Peer(i);
  device.RaiseFlag(context, {Op::kDispatch, epoch, peer, Message::kCounts, {0, rows_to(peer)}});
}

// What one plan counts, by all lanes of the first worker; its signal crew tells.
template <class Device, class Plan>
EP_INLINE void TellCounts(Device& device, const RankContext& context, Epoch epoch, Plan& plan) {
  plan.CountAll(device);
  if (!IsSignalCrew(device)) return;
  EP_ROLLED
  for (uint32_t x = device.Lane(); x < context.shape.Experts(); x += Device::kLanes) {
    PutCount(device, context, BankOf(epoch), x, plan.SelectionsOfExpert(x));
  }
  device.SyncCrew();
  device.Release();
  EP_ROLLED
  for (uint32_t i = device.Lane(); i < context.shape.ranks; i += Device::kLanes) {
    RaiseCounts(device, context, epoch, i, [&](uint32_t r) { return plan.RowsToRank(r); });
  }
}

// Memory in which a rank counts its tiles.
struct TileMemory {
  uint32_t* counts;  // [tiles, Entries]: of each
  uint32_t* begins;  // [tiles + 1, Entries]: of all before each
};

// Adds up what the tiles count, by all lanes of a worker, and puts the totals to the peers.
template <class Device>
void AddUpTiles(Device& device, const RankContext& context, uint32_t bank, uint32_t tiles,
                const TileMemory& memory) {
  constexpr uint32_t kLoads = 8;  // under way at a time
  const uint32_t entries = Entries(context.shape);
  EP_ROLLED
  for (uint32_t i = device.Thread(); i < entries; i += device.Threads()) {
    uint32_t sum = 0;
    for (uint32_t tile = 0; tile < tiles; tile += kLoads) {
      uint32_t held[kLoads];
      for (uint32_t l = 0; l < kLoads; ++l) {
        held[l] = tile + l < tiles ? memory.counts[(tile + l) * entries + i] : 0;
      }
      for (uint32_t l = 0; l < kLoads && tile + l < tiles; ++l) {
        memory.begins[(tile + l) * entries + i] = sum;
        sum += held[l];
      }
    }
    memory.begins[tiles * entries + i] = sum;
    if (i >= context.shape.ranks) PutCount(device, context, bank, i - context.shape.ranks, sum);
  }
  device.Sync();
}

// Counts the tiles of a dispatch of several, by all lanes of a rank, and tells the peers: what the
// dispatch that follows then need not do. `counts` is [Entries] of
// fast memory.
template <class Device>
void CountTiles(Device& device, const RankContext& context, const int32_t* topk_idx,
                uint32_t tokens, Tiling tiling, uint32_t* counts, const TileMemory& memory) {
  if (device.Any(device.Failed(context.error->claimed))) return;
  const Shape& shape = context.shape;
  const Epoch epoch = Next(context.epochs->dispatch);
  const uint32_t entries = Entries(shape);
  const uint32_t tiles = tiling.Count(tokens);
  EP_ROLLED
  for (uint32_t tile = device.Worker(); tile < tiles; tile += device.Workers()) {
    const uint32_t first = tile * tiling.tokens;
    const uint32_t end = first + tiling.tokens < tokens ? first + tiling.tokens : tokens;
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < entries; i += device.Threads()) counts[i] = 0;
    device.Sync();
    CountTokens(device, shape, topk_idx, first, end, counts);
    device.Sync();
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < entries; i += device.Threads()) {
      device.Store(memory.counts + tile * entries + i, counts[i]);
    }
  }
  if (!device.ArriveLast(&context.tickets->counted)) return;
  AddUpTiles(device, context, BankOf(epoch), tiles, memory);
  device.Release();
  EP_ROLLED
  for (uint32_t i = device.Thread(); i < shape.ranks; i += device.Threads()) {
    RaiseCounts(device, context, epoch, i,
                [&](uint32_t r) { return memory.begins[tiles * entries + r]; });
  }
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_COUNT_H_
