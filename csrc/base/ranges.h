// Work on rows that several threads share: each takes a range of them.
#ifndef CSRC_BASE_RANGES_H_
#define CSRC_BASE_RANGES_H_

#include <cstdint>
#include <functional>

namespace ep {

// As many rows of `row_bytes` as take longer to make or to compare than a thread takes to start.
constexpr uint64_t RowsWorthAThread(uint64_t row_bytes) { return (256 << 10) / row_bytes + 1; }

// Calls body(begin, end) for ranges that make up [0, count), on up to `threads` threads at once,
// the calling one among them, and returns when all are through. No range is shorter than `least`,
// what is worth a thread, but where count is. The threads live for no longer than that: a rank
// that measures has none that could wake up.
void ForRanges(uint32_t threads, uint64_t count, uint64_t least,
               const std::function<void(uint64_t begin, uint64_t end)>& body);

}  // namespace ep

#endif  // CSRC_BASE_RANGES_H_
