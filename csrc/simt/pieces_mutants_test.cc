// The schedules bite: every planted fault of pieces, and of fast memory that is not cleared, is
// found, by the check, a rank's error or the machine.
#include <gtest/gtest.h>

#include <cstdint>

#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

// ---- Pieces.

enum class Queued { kOut, kIn };

// Takes the second piece of a worker's queue again instead of the third, or leaves it out.
template <Queued kQueue, bool kTwice>
class TakesWrongly : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  uint32_t Take(uint32_t* word, Site site = Site::current()) {
    const uint32_t piece = KnowingDevice::Take(word, site);
    if (word != operation().mail.taken + (kQueue == Queued::kIn)) return piece;
    return kTwice ? (piece == 1 ? 0 : piece) : piece + 1;
  }
};

TEST(PiecesMutants, APieceIsSentTwiceInsteadOfTheNext) {
  ExpectHarm(FindKnowing<TakesWrongly<Queued::kOut, true>>(kDispatches));
  ExpectHarm(FindKnowing<TakesWrongly<Queued::kOut, true>>(kCombines, AllToAll()));
}
TEST(PiecesMutants, APieceIsTakenInTwiceInsteadOfTheNext) {
  ExpectHarm(FindKnowing<TakesWrongly<Queued::kIn, true>>(kDispatches));
  ExpectHarm(FindKnowing<TakesWrongly<Queued::kIn, true>>(kCombines));
}
// Who awaits its chunk's word waits for ever.
TEST(PiecesMutants, APieceIsNotSent) {
  for (const char* kernels : {kDispatches, kCombines}) {
    const Outcome outcome = FindKnowing<TakesWrongly<Queued::kOut, false>>(kernels);
    EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kTimeout);
  }
}
TEST(PiecesMutants, APieceIsNotTakenIn) {
  ExpectHarm(FindKnowing<TakesWrongly<Queued::kIn, false>>(kDispatches));
  ExpectHarm(FindKnowing<TakesWrongly<Queued::kIn, false>>(kCombines));
}

// ---- Fast memory is anything when a kernel begins.

enum class Left { kPending, kThere, kTaken, kStop };

// Has something in a part of its mail when all of a worker first meet.
template <Left kLeft>
class FindsMail : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  bool Any(bool mine, Site site = Site::current()) {
    if (operation().context == nullptr || met_) return KnowingDevice::Any(mine, site);
    met_ = true;
    KnowingDevice::Sync();
    const Mail& mail = operation().mail;
    if (Thread() == 0) {
      *(kLeft == Left::kPending ? mail.pending
        : kLeft == Left::kThere ? mail.there + 1
        : kLeft == Left::kTaken ? mail.taken + 1
                                : mail.stop) = 1;
    }
    return KnowingDevice::Any(mine, site);
  }

 private:
  bool met_ = false;
};

// A word comes too early or, where nobody looks in time, never.
TEST(FastMemoryMutants, CountersOfPiecesAreNotCleared) {
  EXPECT_FALSE(FindKnowing<FindsMail<Left::kPending>>(kDispatches).good());
  EXPECT_FALSE(FindKnowing<FindsMail<Left::kPending>>(kCombines).good());
}
// It shows where there are more words than the signal crew looks at at once.
TEST(FastMemoryMutants, WhatHasComeIsNotCleared) {
  SimtConfig config = Together();
  config.world.shape.tokens = 40;
  config.tile_tokens = 20;
  config.combine_blocks = 1;
  EXPECT_FALSE(FindKnowing<FindsMail<Left::kThere>>(kDispatches, config).good());
  EXPECT_FALSE(FindKnowing<FindsMail<Left::kThere>>(kCombines, config).good());
}
TEST(FastMemoryMutants, QueuesAreNotCleared) {
  ExpectHarm(FindKnowing<FindsMail<Left::kTaken>>(kDispatches));
  ExpectHarm(FindKnowing<FindsMail<Left::kTaken>>(kCombines));
}
TEST(FastMemoryMutants, TheSignToStopIsNotCleared) {
  EXPECT_FALSE(FindKnowing<FindsMail<Left::kStop>>(kDispatches).good());
}

}  // namespace
}  // namespace ep::simt
