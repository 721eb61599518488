// What a block on a GPU is like that is a rank's worker, and what lies where in its fast memory:
// for the host that launches it, the GPU that runs it, and the machine that plays one in tests.
#ifndef CSRC_DEVICE_GPU_MEMORY_H_
#define CSRC_DEVICE_GPU_MEMORY_H_

#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/count.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/rank.h"

namespace ep::kernels {

// Pieces of rows are multiples of it.
inline constexpr uint32_t kUnitChannels = 512;

// What a block is like that is a rank's worker.
struct BlockShape {
  uint32_t crews;           // that move rows, besides the one that signals
  uint32_t held_units;      // that a crew holds of a row at once, in its registers
  uint32_t unit_channels;   // of each
  uint32_t piece_channels;  // the longest piece that a crew takes on
  uint32_t sum_channels;    // the same in a combine, which keeps a sum of it in its fast memory
  uint32_t tile_tokens;     // whose plan it has in its fast memory

  constexpr uint32_t Threads() const { return 32 * (crews + 1); }
};
// Where rows outnumber crews: as many loads under way as a multiprocessor's registers hold, 168 a
// thread.
inline constexpr BlockShape kLong = {.crews = 11,
                                     .held_units = 7,
                                     .unit_channels = kUnitChannels,
                                     .piece_channels = 8192,
                                     .sum_channels = 3584,
                                     .tile_tokens = 512};
// The same in a combine, which waits for several rows at once: more crews that hold less.
inline constexpr BlockShape kLongSums = {.crews = 15,
                                         .held_units = 4,
                                         .unit_channels = kUnitChannels,
                                         .piece_channels = 8192,
                                         .sum_channels = 3584,
                                         .tile_tokens = 512};
// Where a block has a few rows: many crews with a unit of a row each, and short code, which is soon
// there.
inline constexpr BlockShape kShort = {.crews = 15,
                                      .held_units = 1,
                                      .unit_channels = kUnitChannels,
                                      .piece_channels = 8192,
                                      .sum_channels = 3584,
                                      .tile_tokens = 512};

// Where rows travel in packets: as short, and a piece is a unit, so that all of a row's pieces are
// under way at once.
inline constexpr BlockShape kPackets = {.crews = 15,
                                        .held_units = 1,
                                        .unit_channels = kUnitChannels,
                                        .piece_channels = kUnitChannels,
                                        .sum_channels = kUnitChannels,
                                        .tile_tokens = kMaxPacketTokens};
static_assert(kUnitChannels == kPacketChannels);

// Kernels to choose from: what the blocks of their dispatch and combine are like, and how their
// names end. csrc/kernels/kernels.cu has an entry point for each.
struct Variant {
  ep_kernel kernel;
  const BlockShape& dispatch;
  const BlockShape& combine;
  const char* suffix;
};
inline constexpr Variant kVariants[] = {
    {EP_KERNEL_LONG, kLong, kLongSums, ""},
    {EP_KERNEL_SHORT, kShort, kShort, "_short"},
    {EP_KERNEL_PACKETS, kPackets, kPackets, "_packets"},
};
inline constexpr uint32_t kVariantCount = sizeof(kVariants) / sizeof(kVariants[0]);

// Which of them an operation of so many blocks is, if it is to be `kernel`; kVariantCount if there
// is no such one. Whether rows travel in packets is a matter of the shape, as all ranks must agree.
constexpr uint32_t VariantOf(const Shape& shape, uint32_t blocks, ep_kernel kernel) {
  if (shape.packets) {
    kernel = EP_KERNEL_PACKETS;
  } else if (kernel == EP_KERNEL_AUTO || kernel == ep_kernel{}) {
    kernel = shape.Chunks() <= blocks ? EP_KERNEL_SHORT : EP_KERNEL_LONG;
  }
  uint32_t variant = 0;
  while (variant < kVariantCount && kVariants[variant].kernel != kernel) ++variant;
  return variant;
}

// Parts of a block's fast memory, one behind the other.
class FastMemory {
 public:
  // Returns where the next part begins.
  constexpr uint32_t Take(uint64_t bytes) {
    const uint32_t begin = end_;
    end_ = static_cast<uint32_t>(RoundUp(end_ + bytes, 16));
    return begin;
  }
  constexpr uint32_t SizeBytes() const { return end_; }

  template <class T>
  static T* At(uint8_t* base, uint32_t begin) {
    return reinterpret_cast<T*>(base + begin);
  }

 private:
  uint32_t end_ = 0;
};

// A block's mail, for so many chunks to announce and words to await.
class MailMemory {
 public:
  constexpr MailMemory(FastMemory& memory, uint32_t chunks, uint32_t words)
      : pending_(memory.Take(sizeof(uint32_t) * chunks)),
        slots_(memory.Take(sizeof(uint32_t) * words)),
        there_(memory.Take(sizeof(uint32_t) * (words + 31) / 32)),
        stop_(memory.Take(sizeof(uint32_t))),
        taken_(memory.Take(2 * sizeof(uint32_t))) {}

  Mail At(uint8_t* base) const {
    return {FastMemory::At<uint32_t>(base, pending_), FastMemory::At<uint32_t>(base, slots_),
            FastMemory::At<uint32_t>(base, there_), FastMemory::At<uint32_t>(base, stop_),
            FastMemory::At<uint32_t>(base, taken_)};
  }

 private:
  uint32_t pending_;
  uint32_t slots_;
  uint32_t there_;
  uint32_t stop_;
  uint32_t taken_;
};

// What a block has besides where rows travel in packets; else nothing. Slots of a crew, and in
// them a piece in so many packets and what is `beside` it; and packets of counts.
class PacketMemory {
 public:
  constexpr PacketMemory(FastMemory& memory, const Shape& shape, uint32_t crews, uint32_t slots,
                         uint32_t packets, uint64_t beside, uint32_t counts, uint32_t workers)
      : slots_of_crew_(slots),
        kept_at_(PacketCounts::RoomBytes(packets)),
        slot_bytes_(static_cast<uint32_t>(RoundUp(kept_at_ + beside, 16))),
        pieces_(PacketCounts(shape).pieces),
        count_packets_(PacketCounts(shape).counts),
        all_crews_(crews * workers),
        told_(memory.Take(shape.packets ? uint64_t{counts} * Packet::kBytes : 0)),
        heard_(memory.Take(shape.packets ? uint64_t{counts} * Packet::kBytes : 0)),
        slots_(memory.Take(shape.packets ? uint64_t{crews} * slots * slot_bytes_ : 0)) {}

  PacketWorking At(uint8_t* base, uint32_t crew) const {
    return {.told = FastMemory::At<uint16_t>(base, told_),
            .heard = FastMemory::At<uint16_t>(base, heard_),
            .slots = FastMemory::At<uint8_t>(base, slots_) + crew * slots_of_crew_ * slot_bytes_,
            .slot_bytes = slot_bytes_,
            .kept_at = kept_at_,
            .kept = slots_of_crew_ - 1,
            .kept_tokens = 0,
            .pieces = pieces_,
            .count_packets = count_packets_,
            .crews = all_crews_};
  }

 private:
  uint32_t slots_of_crew_;
  uint32_t kept_at_;
  uint32_t slot_bytes_;
  Divisor pieces_;
  Divisor count_packets_;
  Divisor all_crews_;
  uint32_t told_;
  uint32_t heard_;
  uint32_t slots_;
};

// A block's fast memory in a dispatch by so many blocks, and where tiles are counted.
class DispatchMemory {
 public:
  constexpr DispatchMemory(const Shape& shape, uint32_t workers, const BlockShape& block)
      : tiling_(shape, block.tile_tokens),
        topk_(shape.topk),
        experts_(shape.experts_per_rank),
        out_(Pieces::Cut(shape.hidden, block.unit_channels, block.piece_channels,
                         TokensOf(shape, workers), block.crews)),
        in_(Pieces::Cut(shape.hidden, block.unit_channels, block.piece_channels,
                        TokensOf(shape, workers) * shape.ranks, block.crews)),
        senders_(Senders(shape, workers, block)),
        crews_(memory_.Take(sizeof(CrewMemory) * block.crews)),
        plans_(memory_.Take(shape.packets ? 0 : sizeof(TokenPlan) * block.crews)),
        words_(memory_.Take(sizeof(uint32_t) * Entries(shape) * tiling_.Words(shape))),
        begin_(memory_.Take(sizeof(uint32_t) * Entries(shape))),
        totals_(memory_.Take(sizeof(uint32_t) * Entries(shape))),
        rows_from_(memory_.Take(sizeof(uint32_t) * shape.ranks)),
        first_row_(memory_.Take(sizeof(uint32_t) * shape.Experts())),
        counts_(memory_.Take(sizeof(uint32_t) * shape.experts_per_rank)),
        block_begin_(memory_.Take(sizeof(uint32_t) * (shape.Blocks() + 1))),
        mail_(memory_, shape.packets ? 1 : ChunksOf(shape, workers),
              shape.packets ? 0 : ChunksOf(shape, workers) * shape.ranks),
        kept_tokens_(KeptPieces(shape, workers, block) * block.crews * workers /
                     PacketCounts(shape).pieces),
        packets_(memory_, shape, block.crews, KeptPieces(shape, workers, block) + 1,
                 PacketCounts(shape).row, sizeof(uint32_t) + RowMeta::StrideBytes(shape.topk),
                 shape.ranks * PacketCounts(shape).counts, workers) {}

  constexpr uint32_t SizeBytes() const { return memory_.SizeBytes(); }
  constexpr Tiling tiling() const { return tiling_; }

  // [Entries], for ep_count_tiles.
  uint32_t* Counts(uint8_t* base) const { return FastMemory::At<uint32_t>(base, totals_); }
  BitmapPlanMemory Plan(uint8_t* base, uint32_t crew, const uint32_t* tile_begins) const {
    return {FastMemory::At<uint32_t>(base, words_),
            FastMemory::At<uint32_t>(base, begin_),
            FastMemory::At<uint32_t>(base, totals_),
            FastMemory::At<TokenPlan>(base, plans_) + crew,
            tiling_,
            topk_,
            experts_,
            tile_begins};
  }
  Working WorkingOf(uint8_t* base, uint32_t crew) const {
    PacketWorking packets = packets_.At(base, crew);
    packets.kept_tokens = kept_tokens_;
    return {{FastMemory::At<uint32_t>(base, rows_from_), FastMemory::At<uint32_t>(base, first_row_),
             FastMemory::At<uint32_t>(base, counts_), FastMemory::At<uint32_t>(base, block_begin_)},
            mail_.At(base),
            FastMemory::At<CrewMemory>(base, crews_) + crew,
            nullptr,
            nullptr,
            out_,
            in_,
            senders_,
            packets};
  }

 private:
  static constexpr uint32_t ChunksOf(const Shape& shape, uint32_t workers) {
    return (shape.Chunks() + workers - 1) / workers;
  }
  // Who sends also packs, and lands this rank's own rows. As measured on two H100s: packing needs
  // most crews, but where the link is the limit, which are few rows of a block in a flat layout;
  // and rows in BF16, of twice the bytes, want more who take them.
  static constexpr uint32_t Senders(const Shape& shape, uint32_t workers, const BlockShape& block) {
    const bool packs = shape.dtype == Dtype::kFp8 && shape.quantize == Quantize::kInside;
    const bool many = shape.FansOut() || TokensOf(shape, workers) > 64;
    const uint32_t of_eleven = packs && many ? 9 : shape.dtype == Dtype::kBf16 ? 7 : 8;
    return (block.crews * of_eleven + 5) / 11;
  }
  // Pieces of a rank's own rows that a crew keeps in its fast memory until it knows where they go:
  // all that it can have, or so many.
  static constexpr uint32_t KeptPieces(const Shape& shape, uint32_t workers,
                                       const BlockShape& block) {
    constexpr uint32_t kMost = 4;
    const uint32_t crews = workers * block.crews;
    const uint32_t all = (shape.tokens * PacketCounts(shape).pieces + crews - 1) / crews;
    return all < kMost ? all : kMost;
  }
  static constexpr uint32_t TokensOf(const Shape& shape, uint32_t workers) {
    const uint32_t tokens = ChunksOf(shape, workers) * shape.chunk_tokens;
    return tokens < shape.tokens ? tokens : shape.tokens;
  }

  FastMemory memory_;
  Tiling tiling_;
  Divisor topk_;
  Divisor experts_;
  Pieces out_;
  Pieces in_;
  uint32_t senders_;
  uint32_t crews_;
  uint32_t plans_;
  uint32_t words_;
  uint32_t begin_;
  uint32_t totals_;
  uint32_t rows_from_;
  uint32_t first_row_;
  uint32_t counts_;
  uint32_t block_begin_;
  MailMemory mail_;
  uint32_t kept_tokens_;
  PacketMemory packets_;
};

// The same in a combine.
class CombineMemory {
 public:
  constexpr CombineMemory(const Shape& shape, uint32_t workers, const BlockShape& block)
      : out_(Cut(shape, block, (shape.ranks - 1) * shape.tokens, workers)),
        in_(Cut(shape, block, shape.tokens, workers)),
        senders_((block.crews * (shape.FansOut() ? 7 : 5) + 14) / 15),
        sum_channels_(block.sum_channels),
        crews_(memory_.Take(sizeof(CrewMemory) * block.crews)),
        sums_(memory_.Take(shape.packets ? 0 : sizeof(Bf16) * block.sum_channels * block.crews)),
        rows_from_(memory_.Take(sizeof(uint32_t) * shape.ranks)),
        begin_(memory_.Take(sizeof(uint32_t) * shape.ranks)),
        tables_(memory_.Take(
            shape.packets ? 0 : sizeof(uint32_t) * combine::TableWords(shape, workers))),
        mail_(memory_, shape.packets ? 1 : combine::MostChunks(shape, workers),
              shape.packets ? 0 : combine::MostChunks(shape, workers) * combine::PartWords::kMost),
        packets_(memory_, shape, block.crews, shape.MaxDestinations(), PacketCounts(shape).sum, 0,
                 0, workers) {}

  constexpr uint32_t SizeBytes() const { return memory_.SizeBytes(); }

  Working WorkingOf(uint8_t* base, uint32_t crew) const {
    return {{FastMemory::At<uint32_t>(base, rows_from_), nullptr, nullptr,
             FastMemory::At<uint32_t>(base, begin_)},
            mail_.At(base),
            FastMemory::At<CrewMemory>(base, crews_) + crew,
            FastMemory::At<Bf16>(base, sums_) + crew * sum_channels_,
            FastMemory::At<uint32_t>(base, tables_),
            out_,
            in_,
            senders_,
            packets_.At(base, crew)};
  }

 private:
  static constexpr Pieces Cut(const Shape& shape, const BlockShape& block, uint32_t rows,
                              uint32_t workers) {
    return Pieces::Cut(shape.hidden, block.unit_channels, block.sum_channels,
                       (rows + workers - 1) / workers, block.crews);
  }

  FastMemory memory_;
  Pieces out_;
  Pieces in_;
  uint32_t senders_;
  uint32_t sum_channels_;
  uint32_t crews_;
  uint32_t sums_;
  uint32_t rows_from_;
  uint32_t begin_;
  uint32_t tables_;
  MailMemory mail_;
  PacketMemory packets_;
};

}  // namespace ep::kernels

#endif  // CSRC_DEVICE_GPU_MEMORY_H_
