// An image is in the program as the driver expects it. Nothing is run on a GPU.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "third_party/cuda/example_image.h"

namespace {

std::string_view Image() { return {reinterpret_cast<const char*>(example_begin), example_bytes}; }

TEST(Image, IsAFatbinWithoutAnythingBehindIt) {
  // Magic number, version, bytes of this header, bytes of what follows it.
  struct Header {
    uint32_t magic;
    uint16_t version;
    uint16_t header_bytes;
    uint64_t payload_bytes;
  } header;
  ASSERT_GE(example_bytes, sizeof(header));
  std::memcpy(&header, example_begin, sizeof(header));
  EXPECT_EQ(header.magic, 0xBA55ED50);
  EXPECT_EQ(header.header_bytes + header.payload_bytes, example_bytes);
}

TEST(Image, IsAligned) { EXPECT_EQ(reinterpret_cast<uintptr_t>(example_begin) % 16, 0u); }

TEST(Image, NamesItsKernelsAsTheSourceDoes) {
  for (const char* kernel : {"MultiplyAdd", "Reverse"}) {
    EXPECT_NE(Image().find(kernel), std::string_view::npos) << kernel;
  }
}

}  // namespace
