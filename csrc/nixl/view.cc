#include "csrc/nixl/view.h"

#include <cstring>
#include <iterator>

namespace ep::nixl {
namespace {

// ucp_device_remote_mem_list, followed by its entries: an address in the peer's process each, then
// a Lane for each of the list's lanes.
struct Head {
  uint16_t version;
  uint16_t lanes;
  uint32_t entries;
};
constexpr uint16_t kVersion = 2;

struct Lane {
  uintptr_t endpoint;  // begins with the number of its transport, one byte
  uint64_t memory;     // of cuda_ipc: what to add to the peer's address
};

// More would be no list, and none that we ask for has so many.
constexpr uint16_t kMostLanes = 64;

constexpr const char* kTransports[] = {"rc_mlx5_gda", "cuda_ipc", "d2p"};
constexpr uint8_t kCudaIpc = 1;

std::string Name(uint8_t transport) {
  if (transport < std::size(kTransports)) return kTransports[transport];
  return "transport " + std::to_string(transport);
}

Status ReadEntry(const uint8_t* entry, uint16_t lanes, const ReadGpu& read, ViewEntry* found) {
  uint64_t address = 0;
  std::memcpy(&address, entry, sizeof(address));
  for (uint16_t i = 0; i < lanes; ++i) {
    Lane lane;
    std::memcpy(&lane, entry + sizeof(address) + i * sizeof(lane), sizeof(lane));
    uint8_t transport = 0;
    EP_TRY(read(&transport, lane.endpoint, sizeof(transport)));
    const std::string name = Name(transport);
    if (found->transports.find(name) == std::string::npos) {  // UCX repeats lanes
      found->transports += (found->transports.empty() ? "" : ",") + name;
    }
    if (transport == kCudaIpc && found->mapped == nullptr) {
      found->mapped = reinterpret_cast<uint8_t*>(address + lane.memory);
    }
  }
  return {};
}

}  // namespace

Status ReadView(uintptr_t view, size_t entries, const ReadGpu& read,
                std::vector<ViewEntry>* found) {
  Head head = {};
  EP_TRY(read(&head, view, sizeof(head)));
  if (head.version != kVersion || head.entries != entries || head.lanes == 0 ||
      head.lanes > kMostLanes) {
    return {Code::kProtocol,
            "read a view of " + std::to_string(entries) + " ranges: UCX made one of version " +
                std::to_string(head.version) + " with " + std::to_string(head.entries) +
                " entries of " + std::to_string(head.lanes) +
                " lanes; this program knows version " + std::to_string(kVersion) +
                ", of UCX 1.22 and 1.23",
            EP_HINT_OTHER_NIXL};
  }
  const size_t bytes_of_one = sizeof(uint64_t) + head.lanes * sizeof(Lane);
  std::vector<uint8_t> table(entries * bytes_of_one);
  EP_TRY(read(table.data(), view + sizeof(head), table.size()));
  found->assign(entries, {});
  for (size_t i = 0; i < entries; ++i) {
    EP_TRY(ReadEntry(table.data() + i * bytes_of_one, head.lanes, read, &(*found)[i]));
  }
  return {};
}

}  // namespace ep::nixl
