// Which multiprocessors (SMs) an operation's thread blocks ran on, as they said themselves.
#ifndef CSRC_RANK_SM_USE_H_
#define CSRC_RANK_SM_USE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "csrc/base/status.h"

namespace ep {

// One multiprocessor and how many of an operation's blocks it had.
struct SharedSm {
  uint32_t sm;
  uint32_t blocks;

  bool operator==(const SharedSm&) const = default;
};

// Of `sms`, one entry a block, the first that is there more than once; none if each is there once.
std::optional<SharedSm> FindSharedSm(std::span<const uint32_t> sms);

// Whether each block of a rank's `operation` had a multiprocessor of its own. kSystem: two had not,
// and what the operation took is no figure of so many multiprocessors.
Status CheckSms(uint32_t rank, const std::string& operation, std::span<const uint32_t> sms);

}  // namespace ep

#endif  // CSRC_RANK_SM_USE_H_
