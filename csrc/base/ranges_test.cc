#include "csrc/base/ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace ep {
namespace {

using Range = std::pair<uint64_t, uint64_t>;

std::vector<Range> RangesOf(uint32_t threads, uint64_t count, uint64_t least) {
  std::mutex mutex;
  std::vector<Range> ranges;
  ForRanges(threads, count, least, [&](uint64_t begin, uint64_t end) {
    const std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::ranges::sort(ranges);
  return ranges;
}

TEST(Ranges, MakeUpTheWhole) {
  for (const uint32_t threads : {0, 1, 2, 5, 16}) {
    for (const uint64_t count : {1, 4, 5, 7, 1000}) {
      const std::vector<Range> ranges = RangesOf(threads, count, 1);
      EXPECT_EQ(ranges.size(), std::clamp<uint64_t>(threads, 1, count));
      uint64_t next = 0;
      for (const auto& [begin, end] : ranges) {
        EXPECT_EQ(begin, next);
        EXPECT_LE(end - begin, count / ranges.size() + 1);
        next = end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(Ranges, AreWorthTheirThreads) {
  EXPECT_EQ(RangesOf(8, 99, 50), (std::vector<Range>{{0, 99}}));
  EXPECT_EQ(RangesOf(8, 100, 50), (std::vector<Range>{{0, 50}, {50, 100}}));
  EXPECT_EQ(RangesOf(8, 0, 50), (std::vector<Range>{{0, 0}}));
}

TEST(Ranges, HaveAThreadEachAndTheCallersIsOne) {
  std::mutex mutex;
  std::set<std::thread::id> ids;
  ForRanges(3, 3, 1, [&](uint64_t, uint64_t) {
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_TRUE(ids.contains(std::this_thread::get_id()));
}

}  // namespace
}  // namespace ep
