#include "csrc/rank/sm_use.h"

#include <algorithm>

namespace ep {

std::optional<SharedSm> FindSharedSm(std::span<const uint32_t> sms) {
  for (const uint32_t sm : sms) {
    const auto blocks = static_cast<uint32_t>(std::ranges::count(sms, sm));
    if (blocks > 1) return SharedSm{sm, blocks};
  }
  return std::nullopt;
}

Status CheckSms(uint32_t rank, const std::string& operation, std::span<const uint32_t> sms) {
  const std::optional<SharedSm> shared = FindSharedSm(sms);
  if (!shared) return {};
  return {Code::kSystem, "look at the multiprocessors of rank " + std::to_string(rank) + "'s " +
                             operation + ": " + std::to_string(shared->blocks) + " of its " +
                             std::to_string(sms.size()) + " thread blocks shared multiprocessor " +
                             std::to_string(shared->sm) +
                             ", where each must have its own; end what else runs on the GPU"};
}

}  // namespace ep
