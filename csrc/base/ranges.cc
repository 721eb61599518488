#include "csrc/base/ranges.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

namespace ep {

void ForRanges(uint32_t threads, uint64_t count, uint64_t least,
               const std::function<void(uint64_t begin, uint64_t end)>& body) {
  const uint64_t worthwhile = count / std::max<uint64_t>(least, 1);
  const uint64_t ranges = std::clamp<uint64_t>(worthwhile, 1, std::max(threads, 1u));
  const auto begin_of = [&](uint64_t range) {
    return count / ranges * range + std::min(range, count % ranges);
  };
  std::vector<std::jthread> helpers;
  uint64_t started = 1;  // ranges from `started` on are left to the calling thread
  try {
    for (; started < ranges; ++started) {
      helpers.emplace_back(
          [&body, begin = begin_of(started - 1), end = begin_of(started)] { body(begin, end); });
    }
  } catch (const std::system_error&) {
    // A process may have no more threads; those that it has do the work.
  }
  body(begin_of(started - 1), count);
}

}  // namespace ep
