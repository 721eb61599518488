#include "csrc/region/nixl_place.h"

#include <string>

#include "csrc/region/nixl_message.h"

namespace ep {
namespace {

struct Head {
  static constexpr uint64_t kVersion = 0x6570'6e69'7870'0001;

  uint64_t version;
  uint64_t memory_bytes;
  NixlPlace place;
};

}  // namespace

Status CheckPairAreas(const RegionConfig& config) {
  const PairAreas& pairs = config.pairs;
  if (pairs.bytes != 0 && pairs.begin <= config.bytes &&
      pairs.bytes <= (config.bytes - pairs.begin) / config.ranks) {
    return {};
  }
  return {Code::kInvalid, "make a region of " + std::to_string(config.bytes) + " bytes for " +
                              std::to_string(config.ranks) + " ranks: there is no such region"};
}

std::vector<uint8_t> MakePlaceBlob(const NixlPlace& place, std::span<const uint8_t> memory,
                                   std::span<const uint8_t> peers) {
  const Head head = {Head::kVersion, memory.size(), place};
  const std::span<const uint8_t> bytes = BytesOf(head);
  std::vector<uint8_t> blob(bytes.begin(), bytes.end());
  blob.insert(blob.end(), memory.begin(), memory.end());
  blob.insert(blob.end(), peers.begin(), peers.end());
  return blob;
}

Result<NixlPlaceBlob> ReadPlaceBlob(std::span<const uint8_t> blob, const NixlPlace& ours,
                                    uint32_t rank, uint32_t peer) {
  Head head = {};
  if (!ReadFrom(blob, &head) || head.version != Head::kVersion || head.place.bytes != ours.bytes ||
      head.place.on_gpu != ours.on_gpu || head.memory_bytes >= blob.size() - sizeof(head)) {
    return {Code::kProtocol, "connect rank " + std::to_string(rank) + " to rank " +
                                 std::to_string(peer) + " over NIXL: its " +
                                 (ours.on_gpu != 0 ? "GPU " : "") +
                                 "memory is not as ours; do all ranks run the same plan with the "
                                 "same build?"};
  }
  const auto behind = blob.subspan(sizeof(head));
  return NixlPlaceBlob{head.place, behind.first(head.memory_bytes),
                       behind.subspan(head.memory_bytes)};
}

}  // namespace ep
