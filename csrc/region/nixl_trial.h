// What UCX makes of writes from a kind of memory, found by one that is made and thrown away.
#ifndef CSRC_REGION_NIXL_TRIAL_H_
#define CSRC_REGION_NIXL_TRIAL_H_

#include <cstdint>
#include <span>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/nixl/agent.h"
#include "csrc/nixl/protocols.h"
#include "csrc/region/nixl_peers.h"

namespace ep {

// Lets two agents of this process write half of `bytes` to the other half, over what `options`
// leave UCX to take: nothing but NICs, for what is asked of these. Empty where UCX's log goes
// elsewhere. kTimeout: the write has not ended, so the bytes must stay until the process ends.
Result<std::vector<nixl::PutProtocol>> TryWrite(const NixlOptions& options, nixl::Memory memory,
                                                std::span<uint8_t> bytes, uint64_t timeout_ns);

}  // namespace ep

#endif  // CSRC_REGION_NIXL_TRIAL_H_
