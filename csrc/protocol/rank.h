// One rank as its operations see it: the shape, what it shares with its peers, and how far it is.
//
// A rank has one or more workers (threads on a CPU, thread blocks on a GPU), which all run the
// same operation and share its rows. They never wait for each other but through words, and each
// raises those of its own share.
#ifndef CSRC_PROTOCOL_RANK_H_
#define CSRC_PROTOCOL_RANK_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/epoch.h"
#include "csrc/protocol/error.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/meta.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Counts workers that are through with a step; all zero between operations.
struct Tickets {
  uint32_t counted;  // their tiles
  uint32_t entered;  // know the operation's epoch
  uint32_t served;   // have all words that they await
};

// What workers have announced of an operation to a peer that is not mapped; zero between
// operations.
struct Gathered {
  uint32_t words;
  uint32_t rows;
};

// Words between a rank's workers and its proxy, [operation, bank, peer] and of the host's memory
// but for what is gathered: csrc/device/post.h.
struct Post {
  uint32_t ranks = 0;
  uint64_t* bells = nullptr;
  uint64_t* mail = nullptr;
  const uint64_t* stop = nullptr;  // one
  Gathered* gathered = nullptr;    // [operation, peer]

  constexpr static uint32_t Words(uint32_t ranks) { return 2 * kBanks * ranks; }

  uint64_t* Bell(Op op, uint32_t bank, uint32_t peer) const { return bells + At(op, bank, peer); }
  uint64_t* Mail(Op op, uint32_t bank, uint32_t peer) const { return mail + At(op, bank, peer); }
  Gathered* GatheredFor(Op op, uint32_t peer) const {
    return gathered + (op == Op::kCombine ? ranks : 0) + peer;
  }

 private:
  uint32_t At(Op op, uint32_t bank, uint32_t peer) const {
    return ((op == Op::kCombine ? kBanks : 0) + bank) * ranks + peer;
  }
};

// Everything points to memory of the engine, which outlives all operations.
struct RankContext {
  Shape shape;
  Layout layout;
  uint32_t rank;
  // Bounds all waits of one operation together.
  uint64_t wait_timeout_ns;
  EpochState* epochs;
  ErrorRecord* error;
  Tickets* tickets;
  // This rank's region.
  uint8_t* region;
  // This rank's pair area at every rank, itself included.
  uint8_t* there[kMaxRanks];
  // A bit each: whose area that is only an image of, which a proxy sends.
  uint32_t proxied[kMaxRanks / 32] = {};
  Post post = {};
  // Where messages arrive, with the layout of a region: this rank's, or memory of the host's.
  uint8_t* inbox = nullptr;

  bool IsProxied(uint32_t peer) const { return proxied[peer / 32] >> peer % 32 & 1; }

  // What this rank writes for `peer`, and what the peer writes for it: in a pair area.
  template <class T>
  T* There(uint32_t peer, uint64_t offset) const {
    return reinterpret_cast<T*>(there[peer] + offset);
  }
  template <class T>
  T* Here(uint32_t peer, uint64_t offset) const {
    return reinterpret_cast<T*>(region + offset + layout.PairArea(peer));
  }
  // The same of a peer that may be proxied.
  template <class T>
  T* InboxOf(uint32_t peer, uint64_t offset) const {
    uint8_t* const areas = IsProxied(peer) ? inbox : region;
    return reinterpret_cast<T*>(areas + offset + layout.PairArea(peer));
  }
  // In this rank's region.
  template <class T>
  T* Own(uint64_t offset) const {
    return reinterpret_cast<T*>(region + offset);
  }
  // In a peer's, which is mapped.
  template <class T>
  T* At(uint32_t peer, uint64_t offset) const {
    return reinterpret_cast<T*>(there[peer] - layout.PairArea(rank) + offset);
  }
  // The i-th peer from this rank's point of view. All ranks begin with their right neighbour and
  // end with themselves, so that they do not all write to one.
  uint32_t Peer(uint32_t i) const {
    const uint32_t peer = rank + 1 + i;
    return peer < shape.ranks ? peer : peer - shape.ranks;
  }
};

// Whether a device reaches peers by messages: csrc/device/post.h.
template <class Device>
inline constexpr bool kIsPosting = requires { Device::kPosts; };

// What a peer writes for this rank, as such a device finds it.
template <class Device, class T>
EP_INLINE T* HereOf(const RankContext& context, uint32_t peer, uint64_t offset) {
  if constexpr (kIsPosting<Device>) return context.InboxOf<T>(peer, offset);
  return context.Here<T>(peer, offset);
}

// Where a token's row went, and so where its partial sum comes from.
struct Destination {
  uint32_t rank;
  uint32_t slot;
};

// Behind a token's last.
inline constexpr Destination kNoDestination = {0xFFFFFFFF, 0};

// One of a token's selections: where its row comes back from, and what it counts.
struct Selection {
  Destination from;
  uint32_t index;  // among the token's selections there
  float weight;
};

// Where the received rows lie. R ranks, L local experts, B blocks (Shape::Blocks()).
struct Places {
  uint32_t* rows_from;  // [R]: rows that each source sent here
  uint32_t* first_row;  // [R, L]: where a source's rows begin at an expert
  uint32_t* counts;     // [L]: rows of each expert
  uint32_t* begin;      // [B + 1]: first row of each block, and where one more would begin

  uint32_t FirstRow(const RankContext& context, uint32_t source, uint32_t expert) const {
    return first_row[source * context.shape.experts_per_rank + expert];
  }
  // The row of one selection, where rows fan out to their experts.
  uint64_t Row(const RankContext& context, uint32_t source, Placement placement) const {
    return begin[placement.expert] + FirstRow(context, source, placement.expert) + placement.index;
  }
  // The row of a slot, where each is kept once.
  uint64_t Row(uint32_t source, uint32_t slot) const { return begin[source] + slot; }
};

// What a dispatch leaves for the combines that undo it, copied out of the banks, so that it stays
// good while further dispatches run. T tokens, R ranks, K chunks, D = MaxDestinations().
struct Handle {
  uint32_t tokens;            // of this rank
  Destination* destinations;  // [T, D], in rank order; kNoDestination behind the last
  uint32_t* chunk_slots;      // [K + 1, R]: slots that chunks before each have at a rank
  Selection* selections;      // [T, topk], the token's own order; CombineSum::kExpert only
  uint8_t* selection_count;   // [T]; CombineSum::kExpert only
  uint8_t* copies;            // RowCopies [R, T], Layout::MetaStride() apart; where rows fan out
  uint32_t expert_stride;     // rows from one expert's first to the next one's; layout `expert`
  Places places;

  RowCopies* Copies(const RankContext& context, uint32_t source, uint32_t slot) const {
    const uint64_t entry = uint64_t{source} * context.shape.tokens + slot;
    return reinterpret_cast<RowCopies*>(copies + entry * context.layout.MetaStride());
  }
};

// Things [begin, end) of a row of them, such as chunks.
struct Share {
  uint32_t begin;
  uint32_t end;

  // The worker's of so many; neighbours have neighbouring ones.
  static constexpr Share Of(uint32_t all, uint32_t worker, uint32_t workers) {
    return {(all * worker + workers - 1) / workers, (all * (worker + 1) + workers - 1) / workers};
  }
  constexpr uint32_t Count() const { return end - begin; }
};
static_assert(kMaxTokens < 1 << 16, "all * workers is a number of 32 bits");

// What a crew keeps in its fast memory while it works on a row.
struct CrewMemory {
  alignas(16) uint8_t meta[kMostMetaBytes];  // a RowMeta, or RowCopies
  uint32_t rows[kMaxTopk];                   // where the copies of a received row lie
  Destination from[kMaxTopk];                // where a token's partial sums come from

  const RowMeta& Meta() const { return *reinterpret_cast<const RowMeta*>(meta); }
  RowMeta& Meta() { return *reinterpret_cast<RowMeta*>(meta); }
  const RowCopies& Copies() const { return *reinterpret_cast<const RowCopies*>(meta); }
};

// What a worker's signal crew and its other crews tell each other, in its fast memory; of a worker
// with one crew nothing.
struct Mail {
  uint32_t* pending;  // [chunks of the worker]: pieces that are done
  uint32_t* slots;    // [words]: what those say that are there
  uint32_t* there;    // [words / lanes]: a bit each
  uint32_t* stop;     // not 0 once the rank has failed
  uint32_t* taken;    // [2]: pieces to send and to take that crews have taken on
};

// What a crew keeps of a row of its own rank that stays there, behind the piece in its slot.
struct KeptRow {
  static constexpr uint32_t kNone = 0xFFFFFFFF;  // none of the row's experts is here

  uint32_t slot;
  RowMeta meta;  // and what follows one
};

// What a worker has besides where rows travel in packets, in its fast memory.
struct PacketWorking {
  // [ranks, six a packet]: what this rank counts for each, and what each counts for it: rows, then
  // selections of each expert. Dispatches only.
  uint16_t* told = nullptr;
  uint16_t* heard = nullptr;
  // This crew's, a piece each as its packets carry it. In a dispatch: those of its own tokens that
  // it keeps, each with a KeptRow, then one for all others. In a combine: a piece of each of a
  // token's ranks.
  uint8_t* slots = nullptr;
  uint32_t slot_bytes = 0;
  uint32_t kept_at = 0;  // where in a slot the KeptRow is
  uint32_t kept = 0;     // slots
  // Tokens before this one have all their pieces kept; rows of the others that stay on this rank go
  // through the bank.
  uint32_t kept_tokens = 0;
  Divisor pieces;         // of a row
  Divisor count_packets;  // of a rank's counts
  Divisor crews;          // of the rank

  uint8_t* Slot(uint32_t i) const { return slots + i * slot_bytes; }
  KeptRow& Kept(uint32_t i) const { return *reinterpret_cast<KeptRow*>(Slot(i) + kept_at); }
};

// A worker's working memory.
struct Working {
  Places places;
  Mail mail;
  CrewMemory* crew;  // this crew's
  Bf16* sum;         // [channels of a piece], this crew's; combines only
  uint32_t* tables;  // [combine::TableWords]: which chunks it sends and awaits; combines only
  Pieces out;        // how rows are cut that it sends
  Pieces in;         // and those that it takes
  // Crews that send before they take, where there is something to take meanwhile; the others only
  // take.
  uint32_t senders;
  PacketWorking packets = {};
};

inline void KeepError(ErrorRecord* to, const ErrorRecord& error) {
  to->op = error.op;
  to->epoch = error.epoch;
  to->peer = error.peer;
  to->seen = error.seen;
  to->waited_ns = error.waited_ns;
  to->kind = error.kind;
}
EP_COLD inline void KeepErrorApart(ErrorRecord* to, ErrorKind kind, Op op, Epoch epoch,
                                   uint32_t peer, uint64_t seen, uint64_t waited_ns) {
  KeepError(to, {kind, op, epoch, peer, seen, waited_ns, 0});
}
// Records why an operation failed, unless another worker has already.
template <class Device>
void Fail(Device& device, const RankContext& context, const ErrorRecord& error) {
  if (!device.ClaimOnce(&context.error->claimed)) return;
  if constexpr (requires { Device::kIsShort; }) {
    KeepErrorApart(context.error, error.kind, error.op, error.epoch, error.peer, error.seen,
                   error.waited_ns);
  } else {
    KeepError(context.error, error);
  }
}

// The pieces of a worker, of which each crew takes the next one that nobody has.
template <class Device>
class Queue {
 public:
  // `taken` is in fast memory; null on a worker with one crew.
  explicit Queue(uint32_t* taken) : taken_(taken) {}

  bool Begun() const { return at_ != kBeforeFirst; }
  uint32_t At() const { return at_; }
  EP_INLINE void Next(Device& device) {
    if constexpr (Device::kSignals) {
      at_ = device.Take(taken_);
    } else {
      ++at_;
    }
  }
  // No piece before `piece` is any work.
  EP_INLINE void SkipTo(Device& device, uint32_t piece) {
    if constexpr (Device::kSignals) {
      Next(device);
    } else {
      at_ = piece;
    }
  }

 private:
  uint32_t* const taken_;
  static constexpr uint32_t kBeforeFirst = 0xFFFFFFFF;
  uint32_t at_ = kBeforeFirst;
};

// Begins an operation in which a worker announces so many chunks and awaits so many words, by all
// its lanes. Returns false if the rank has failed before.
template <class Device>
bool EnterOperation(Device& device, const RankContext& context, const Mail& mail, uint32_t chunks,
                    uint32_t words) {
  if constexpr (Device::kSignals) {
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < chunks; i += device.Threads()) mail.pending[i] = 0;
    EP_ROLLED
    for (uint32_t i = device.Thread(); i * Device::kLanes < words; i += device.Threads()) {
      mail.there[i] = 0;
    }
    if (device.Thread() == 0) *mail.stop = mail.taken[0] = mail.taken[1] = 0;
  }
  return !device.Any(device.Failed(context.error->claimed));
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_RANK_H_
