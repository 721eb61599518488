// Epochs number the operations of one kind; the only arithmetic on them is here.
//
// Dispatches and combines count apart, from 1; 0 means "none yet". Epoch e works in bank
// BankOf(e). The epoch after 2^32-1 is 2, so that bank 0 follows bank 1 there too.
#ifndef CSRC_PROTOCOL_EPOCH_H_
#define CSRC_PROTOCOL_EPOCH_H_

#include "csrc/protocol/std.h"

namespace ep {

using Epoch = uint32_t;

// Two are enough without any acknowledgement, because every rank raises all its words to every peer
// in every operation, and leaves it only when it has seen one at least of each peer's: whoever
// starts epoch e+2 has seen some word of e+1 of every rank, and a rank raises its first word of e+1
// only after it is done with e.
inline constexpr uint32_t kBanks = 2;

constexpr Epoch Next(Epoch epoch) { return epoch == 0xFFFFFFFFu ? 2 : epoch + 1; }

constexpr uint32_t BankOf(Epoch epoch) { return epoch % kBanks; }

// Whether `have` may stand in a word of `want`'s bank until `want` itself is written there:
// nothing yet, or the epoch that used the bank last. 2 and 3 follow 0 and 1 at the start, and
// 2^32-2 and 2^32-1 after the wrap.
constexpr bool PrecedesInBank(Epoch have, Epoch want) {
  if (have == 0 || have == want - kBanks) return true;
  return (want == 2 || want == 3) && have == want - 2 * kBanks;
}

// How far a rank has come. Lives in the rank's own memory (device memory on a GPU), so that a
// captured sequence of operations can be replayed any number of times.
struct EpochState {
  Epoch dispatch;
  Epoch combine;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_EPOCH_H_
