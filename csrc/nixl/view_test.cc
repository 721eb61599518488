// Views as UCX lays them out, in host memory instead of a GPU's.
#include "csrc/nixl/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace ep::nixl {
namespace {

using ::testing::HasSubstr;

constexpr uint8_t kGda = 0, kCudaIpc = 1, kNobodys = 9;

// What ucp_device_remote_mem_list_create of UCX 1.23.0 writes.
class View {
 public:
  View(uint16_t version, uint16_t lanes, uint32_t entries) {
    Put(version);
    Put(lanes);
    Put(entries);
  }
  View& Entry(uint64_t address) {
    Put(address);
    return *this;
  }
  View& Lane(const uint8_t& transport, uint64_t memory) {
    Put(reinterpret_cast<uintptr_t>(&transport));
    Put(memory);
    return *this;
  }

  Status Read(size_t entries, std::vector<ViewEntry>* found) const {
    const auto begin = reinterpret_cast<uintptr_t>(bytes_.data());
    return ReadView(
        begin, entries,
        [&](void* to, uintptr_t from, size_t bytes) -> Status {
          const bool table = from >= begin && from < begin + bytes_.size();
          if (table && from + bytes > begin + bytes_.size()) {
            return {Code::kSystem, "read beyond the view"};
          }
          std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
          return {};
        },
        found);
  }

 private:
  template <class T>
  void Put(T value) {
    const auto* begin = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), begin, begin + sizeof(value));
  }

  std::vector<uint8_t> bytes_;
};

uint8_t* At(uint64_t address) { return reinterpret_cast<uint8_t*>(address); }

TEST(View, GivesTheAddressesOfMappedRanges) {
  const View view = View(2, 1, 2)
                        .Entry(0x7000'0000)
                        .Lane(kCudaIpc, 0x1000)
                        .Entry(0x9000'0000)
                        .Lane(kCudaIpc, -uint64_t{0x2000});
  std::vector<ViewEntry> found;
  const Status status = view.Read(2, &found);
  ASSERT_TRUE(status.ok()) << status.text();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].mapped, At(0x7000'1000));
  EXPECT_EQ(found[1].mapped, At(0x8FFF'E000));
  EXPECT_EQ(found[0].transports, "cuda_ipc");
}

TEST(View, FindsTheLaneThatMapsAmongOthers) {
  const View view = View(2, 4, 1)
                        .Entry(0x1000)
                        .Lane(kGda, 0xAAAA)
                        .Lane(kGda, 0xAAAA)
                        .Lane(kCudaIpc, 0x20)
                        .Lane(kNobodys, 0xBBBB);
  std::vector<ViewEntry> found;
  ASSERT_TRUE(view.Read(1, &found).ok());
  EXPECT_EQ(found[0].mapped, At(0x1020));
  EXPECT_EQ(found[0].transports, "rc_mlx5_gda,cuda_ipc,transport 9");
}

TEST(View, SaysHowARangeIsReachedThatNoLaneMaps) {
  std::vector<ViewEntry> found;
  ASSERT_TRUE(View(2, 1, 1).Entry(0x1000).Lane(kGda, 0x20).Read(1, &found).ok());
  EXPECT_EQ(found[0].mapped, nullptr);
  EXPECT_EQ(found[0].transports, "rc_mlx5_gda");
}

TEST(View, RefusesWhatItDoesNotKnow) {
  std::vector<ViewEntry> found;
  for (const View& view : {View(3, 1, 1), View(1, 1, 1), View(2, 0, 1), View(2, 65, 1),
                           View(2, 1, 2), View(0, 0, 0)}) {
    const Status status = view.Read(1, &found);
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr("UCX made one of version"));
    EXPECT_EQ(status.hint(), EP_HINT_OTHER_NIXL);
  }
}

TEST(View, PassesOnWhyTheGpuCannotBeRead) {
  std::vector<ViewEntry> found;
  EXPECT_EQ(View(2, 1, 1).Entry(0x1000).Read(1, &found).text(), "read beyond the view");
}

}  // namespace
}  // namespace ep::nixl
