// The schedules bite between ranks that do not map each other, too: planted faults of bells, mail,
// messages and their network are found.
//
// Faults of the reading side of memory are not: a load here always reads what is in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>

#include "csrc/device/post.h"
#include "csrc/simt/mutants_test_util.h"

namespace ep::simt {
namespace {

using Posting = PostDevice<SimtDevice>;

SimtConfig Apart(SimtConfig config = kThreeRanks, bool needs_flush = false) {
  config.network = {.net = Net::kAll, .needs_flush = needs_flush};
  return config;
}

// ---- Bells.

// A base device whose bells and counters have weaker orders.
class RingsWithoutRelease : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Release() {}  // what is announced is ordered by bells alone
  void StoreForHost(uint64_t* word, uint64_t value) { *word = value; }
};

TEST(PostMutants, ABellIsRungWithoutRelease) {
  ExpectHarm(FindFromTheFirst<PostDevice<RingsWithoutRelease>>(kDispatches, Apart()));
}

// Words of those peers that are mapped are raised without any order.
class NeverReleases : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Release() {}
};

TEST(PostMutants, WordsBesideMessagesAreRaisedWithoutRelease) {
  SimtConfig config = Apart();
  config.network.net = Net::kOddAndEven;
  ExpectHarm(FindFromTheFirst<PostDevice<NeverReleases>>(kDispatches, config));
}

// Who adds last does not know what the others have done.
class AddsRelaxed : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Release() {}
  bool AddLast(uint32_t* counter, uint32_t of) {
    if (lane().AddRelaxed(counter, 1) + 1 != of) return false;
    *counter = 0;
    return true;
  }
};

TEST(PostMutants, WordsAreGatheredWithoutOrder) {
  ExpectHarm(FindFromTheFirst<PostDevice<AddsRelaxed>>(kDispatches, Apart()));
}

// The bell is rung when a word is still to come.
class RingsEarly : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool AddLast(uint32_t* counter, uint32_t of) {
    const uint32_t count = lane().AddAcquireRelease(counter, 1) + 1;
    if (count == of) *counter = 0;
    return count + 1 == of;
  }
};

TEST(PostMutants, ABellIsRungBeforeTheLastWord) {
  EXPECT_FALSE(FindFromTheFirst<PostDevice<RingsEarly>>(kDispatches, Apart()).good());
}

class RingsTheOtherBank : public Posting {
 public:
  using Posting::Posting;
  void RaiseFlag(const RankContext& context, const Message& message) {
    RankContext other = context;
    const int64_t shift = BankOf(message.epoch) == 0 ? context.shape.ranks : 0;
    other.post.bells += shift - (BankOf(message.epoch) == 0 ? 0 : int64_t{context.shape.ranks});
    Posting::RaiseFlag(other, message);
  }
};

TEST(PostMutants, TheBellOfTheOtherBankIsRung) {
  EXPECT_FALSE(FindFromTheFirst<RingsTheOtherBank>(kDispatches, Apart()).good());
}

// Who sends no rows rings no bell.
class SilentIfEmpty : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void StoreForHost(uint64_t* word, uint64_t value) {
    if (FlagRows(value) > 0) SimtDevice::StoreForHost(word, value);
  }
};

TEST(PostMutants, AMessageWithoutRowsIsNotSent) {
  EXPECT_FALSE(
      FindFromTheFirst<PostDevice<SilentIfEmpty>>(kDispatches, Apart(TokensOf({6, 0, 6}))).good());
}

// A bell has the rows of one message less.
class CountsTooFew : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void StoreForHost(uint64_t* word, uint64_t value) {
    SimtDevice::StoreForHost(word, FlagRows(value) > 0 ? value - 1 : value);
  }
};

TEST(PostMutants, ARowIsLeftOut) {
  ExpectHarm(FindFromTheFirst<PostDevice<CountsTooFew>>(kDispatches, Apart()));
}

// ---- Mail.

// From the third epoch on rank 1 takes none.
class Rank1TakesNone : public Posting {
 public:
  using Posting::Posting;
  void TakeMail(const RankContext& context, const Waiting& waiting) {
    if (waiting.epoch < 3 || context.rank != 1) Posting::TakeMail(context, waiting);
  }
};

TEST(PostMutants, NobodyTakesMail) {
  ExpectTimeout(FindFromTheFirst<Rank1TakesNone>(kDispatches, Apart()), 1);
}

// Another block takes mail in place of the one that asks the host and stays until all others are
// through.
class LooksFromTheNextBlock : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  uint32_t Worker() const {
    const uint32_t worker = SimtDevice::Worker();
    return swaps_ && worker < 2 ? 1 - worker : worker;
  }

 protected:
  bool swaps_ = false;
};
class Block1TakesMail : public PostDevice<LooksFromTheNextBlock> {
 public:
  using PostDevice<LooksFromTheNextBlock>::PostDevice;
  void TakeMail(const RankContext& context, const Waiting& waiting) {
    swaps_ = true;
    PostDevice<LooksFromTheNextBlock>::TakeMail(context, waiting);
    swaps_ = false;
  }
};

TEST(PostMutants, ABlockTakesMailThatLeavesEarly) {
  SimtConfig config = Apart();
  config.world.shape.chunk_tokens = config.world.shape.tokens;  // block 1 has no chunk
  EXPECT_FALSE(FindFromTheFirst<Block1TakesMail>("D", config).good());
}

// What the host says does not get beyond the block that asks it.
class KeepsTheStop : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool Failed(const uint32_t& claimed) const {
    return SimtDevice::Worker() == 0 && SimtDevice::Failed(claimed);
  }
};

template <class D>
uint64_t StepsUntilACutNetworkEndsAll(uint64_t timeout_steps) {
  SimtConfig config = Apart();
  config.timeout_steps = timeout_steps;
  SimtWorld<Bodies<D>> world(config);
  world.network().fate = [](uint32_t, uint32_t, const Notice&) {
    return PostNetwork::Fate::kFails;
  };
  const Outcome outcome = world.Run(1, "D");
  EXPECT_TRUE(outcome.machine.ok()) << outcome.text;
  EXPECT_FALSE(outcome.good());
  return world.Steps();
}

TEST(PostMutants, TheStopIsNotPassedOn) {
  constexpr uint64_t kTimeout = 500'000;
  EXPECT_LT(StepsUntilACutNetworkEndsAll<Posting>(kTimeout), kTimeout / 2);
  EXPECT_GT(StepsUntilACutNetworkEndsAll<PostDevice<KeepsTheStop>>(kTimeout), kTimeout);
}

// ---- The network and the proxy.

Outcome WithFaults(const char* kernels, const SimtConfig& config,
                   const PostNetwork::Faults& faults) {
  SimtWorld<Bodies<Posting>> world(config);
  world.network().faults = faults;
  return FirstFound(world, kernels);
}

TEST(PostMutants, MailComesBeforeTheFlush) {
  ExpectHarm(WithFaults(kDispatches, Apart(kThreeRanks, true), {.forgets_to_flush = true}));
  ExpectHarm(WithFaults(kCombines, Apart(kThreeRanks, true), {.forgets_to_flush = true}));
}

TEST(PostMutants, MailComesWhenAMessageIsPosted) {
  ExpectHarm(WithFaults(kDispatches, Apart(), {.tells_before_it_moves = true}));
  // Often words of an epoch before are raised, and nobody raises those that come later, so somebody
  // waits in vain. That is no harm; who reads what is no word of any epoch sees it.
  SimtWorld<Bodies<Posting>> world(Apart());
  world.network().faults = {.op = Op::kCombine, .tells_before_it_moves = true};
  ExpectHarm(FirstFound(world, kCombines, [](const Outcome& outcome) {
    return std::ranges::any_of(outcome.errors, [](const ErrorRecord& error) {
      return error.kind == ErrorKind::kViolation;
    });
  }));
}

TEST(PostMutants, AnExtentIsLeftOut) {
  // Words with counts and descriptions, scales, rows; words with partial sums.
  for (int extent = 0; extent < 3; ++extent) {
    EXPECT_FALSE(WithFaults("DD", Apart(), {.leaves_out = extent}).good()) << extent;
  }
  EXPECT_FALSE(WithFaults("DCC", Apart(), {.op = Op::kCombine, .leaves_out = 0}).good());
}

TEST(PostMutants, AMessageIsToldTwice) {
  const Outcome outcome = WithFaults("DDDD", Apart(), {.tells_twice = true});
  bool network = false;
  for (const ErrorRecord& error : outcome.errors) network |= error.kind == ErrorKind::kNetwork;
  EXPECT_TRUE(network) << outcome.text;
}

// Its mail is left in the other bank, where the epoch is right and the words are not.
TEST(PostMutants, AMessageSaysAnotherEpoch) {
  EXPECT_FALSE(
      WithFaults("DDDD", Apart(),
                 {.says_instead = [](Notice* notice) { notice->flag += uint64_t{1} << 32; }})
          .good());
}

TEST(PostMutants, AMessageSaysAnotherSender) {
  const Outcome outcome =
      WithFaults("DDDD", Apart(), {.says_instead = [](Notice* notice) { notice->sender ^= 1; }});
  bool network = false;
  for (const ErrorRecord& error : outcome.errors) network |= error.kind == ErrorKind::kNetwork;
  EXPECT_TRUE(network) << outcome.text;
}

}  // namespace
}  // namespace ep::simt
