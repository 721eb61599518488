// The schedules bite: every planted fault of packets is found, by the check or a rank's error.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "csrc/protocol/packet.h"
#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

const SimtConfig kPackets = Packets();

// The number becomes visible apart from the bytes.
class Torn : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void StorePacket(Packet* to, const Packet& packet) {
    lane().StoreStrong(to, packet.words, sizeof(packet.words));
    lane().StoreStrong(&to->epoch, &packet.epoch, sizeof(packet.epoch));
  }
};
TEST(PacketsMutants, APacketIsTorn) {
  ExpectHarm(Find<Torn>(kDispatches, kPackets));
  ExpectHarm(Find<Torn>(kCombines, kPackets));
}

// A plain store, which need not become visible before the kernel ends.
class Weak : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void StorePacket(Packet* to, const Packet& packet) { Store(to, packet); }
};
TEST(PacketsMutants, APacketIsStoredPlainly) {
  for (const char* kernels : {kDispatches, kCombines}) {
    const Outcome outcome = Find<Weak>(kernels, kPackets);
    ASSERT_TRUE(outcome.machine.ok()) << outcome.text;
    EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kTimeout) << outcome.text;
  }
}

// Which part of a bank of a pair area a packet is of.
enum class Part { kBegun, kCounts, kDescription, kPiece, kSum };
Part PartOf(const Layout& layout, uint32_t bank, uint64_t offset) {
  if (offset < layout.PacketCount(bank, 0)) return Part::kBegun;
  if (offset < layout.PacketRow(bank, 0)) return Part::kCounts;
  if (offset >= layout.PacketSum(bank, 0, 0)) return Part::kSum;
  const uint64_t stride = layout.PacketRow(bank, 1) - layout.PacketRow(bank, 0);
  const uint64_t of_row = (offset - layout.PacketRow(bank, 0)) % stride;
  return of_row < layout.PacketPiece(bank, 0, 0) - layout.PacketRow(bank, 0) ? Part::kDescription
                                                                             : Part::kPiece;
}

// Takes what stands in the place of a packet of this part for what it awaits.
template <Part kPart>
class TakesForGranted : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  Packet LoadPacket(const Packet* from) {
    Packet packet = KnowingDevice::LoadPacket(from);
    const uint64_t in_region =
        static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(from) - operation().context->region);
    const uint64_t offset = (in_region - layout().PairArea(0)) % layout().PairBytes();
    if (PartOf(layout(), bank(), offset) == kPart) packet.epoch = operation().epoch;
    return packet;
  }
};
TEST(PacketsMutants, APieceIsNotAwaited) {
  ExpectHarm(FindKnowing<TakesForGranted<Part::kPiece>>(kDispatches, kPackets));
}
TEST(PacketsMutants, ADescriptionIsNotAwaited) {
  EXPECT_FALSE(
      FirstFound<KnowingBodies<TakesForGranted<Part::kDescription>>>(kDispatches, kPackets).good());
}
TEST(PacketsMutants, CountsAreNotAwaited) {
  EXPECT_FALSE(
      FirstFound<KnowingBodies<TakesForGranted<Part::kCounts>>>(kDispatches, kPackets).good());
}
TEST(PacketsMutants, ASumIsNotAwaited) {
  ExpectHarm(FindKnowing<TakesForGranted<Part::kSum>>(kCombines, kPackets));
}
// A rank without tokens runs ahead, into a bank that others still read.
TEST(PacketsMutants, ARankDoesNotWaitUntilOthersHaveBegun) {
  ExpectHarm(FindKnowing<TakesForGranted<Part::kBegun>>(kCombines, TokensOf({6, 0, 6}, kPackets)));
}

// All epochs use the same bank.
class OneBank : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  void StorePacket(Packet* to, const Packet& packet) {
    KnowingDevice::StorePacket(InBank0(to), packet);
  }
  Packet LoadPacket(const Packet* from) {
    return KnowingDevice::LoadPacket(InBank0(const_cast<Packet*>(from)));
  }

 private:
  Packet* InBank0(Packet* packet) const {
    return reinterpret_cast<Packet*>(reinterpret_cast<uint8_t*>(packet) - layout().Bank(bank()));
  }
};
TEST(PacketsMutants, ThereIsOneBank) {
  EXPECT_FALSE(FirstFound<KnowingBodies<OneBank>>(kDispatches, kPackets).good());
  EXPECT_FALSE(FirstFound<KnowingBodies<OneBank>>(kCombines, kPackets).good());
}

// A piece's first packet has the number of an operation to come: it is said whose it is.
class TooEarly : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  void StorePacket(Packet* to, Packet packet) {
    if (operation().context->rank == 1) packet.epoch += kBanks;
    KnowingDevice::StorePacket(to, packet);
  }
};
TEST(PacketsMutants, ABankIsUsedTooEarly) {
  for (const char* kernels : {kDispatches, kCombines}) {
    const Outcome outcome = FindKnowing<TooEarly>(kernels, kPackets);
    EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kViolation) << outcome.text;
    EXPECT_EQ(outcome.errors[0].peer, 1u) << outcome.text;
  }
}

}  // namespace
}  // namespace ep::simt
