// What lies behind a memory view: tables of UCX in a GPU's memory, by which kernels reach peers.
//
// These are our own declarations, as those of csrc/nixl/capi.h are. UCX's headers for kernels need
// a host's compiler, and those that can be had know one transport alone, cuda_ipc, where a peer's
// memory is mapped. So an entry that a lane of cuda_ipc reaches is an address for our kernels, and
// all that is asked of UCX is which.
#ifndef CSRC_NIXL_VIEW_H_
#define CSRC_NIXL_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "csrc/base/status.h"

namespace ep::nixl {

// One range of a peer.
struct ViewEntry {
  uint8_t* mapped;         // where our GPU sees it; null where no lane maps it
  std::string transports;  // of its lanes, in UCX's words
};

// Copies `bytes` bytes at an address that is good on our GPU.
using ReadGpu = std::function<Status(void* to, uintptr_t from, size_t bytes)>;

// Reads the entries of a view. kProtocol: it is not laid out as UCX 1.22 and 1.23 do, or has not so
// many entries; then nothing in it is to be trusted.
Status ReadView(uintptr_t view, size_t entries, const ReadGpu& read, std::vector<ViewEntry>* found);

}  // namespace ep::nixl

#endif  // CSRC_NIXL_VIEW_H_
