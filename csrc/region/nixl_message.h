// What ranks tell each other over NIXL, and when they lose patience. All ranks are the same binary,
// so plain bytes will do.
#ifndef CSRC_REGION_NIXL_MESSAGE_H_
#define CSRC_REGION_NIXL_MESSAGE_H_

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "csrc/region/wire.h"

namespace ep {

inline constexpr uint64_t kWordBytes = sizeof(uint64_t);

// A rank's blob: this, its agent's name, its agent's metadata.
struct NixlBlob {
  static constexpr uint64_t kVersion = 0x6570'6e69'786c'0003;

  uint64_t version;
  uint32_t rank;
  uint32_t ranks;
  uint64_t fillers;  // an address in the rank's process
  uint64_t name_bytes;
};

// Every notification is a Notice. One of this operation greets: the sender has connected, or come
// to a meeting.
inline constexpr uint32_t kGreeting = 0;
// One of this was sent to see how long it takes.
inline constexpr uint32_t kProbe = 0xFFFFFFFF;

inline std::string Milliseconds(uint64_t ns) { return std::to_string(ns / 1'000'000) + " ms"; }

template <class T>
std::span<const uint8_t> BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}

// Copies a T out of the beginning of `bytes`, which may be aligned in any way.
template <class T>
bool ReadFrom(std::span<const uint8_t> bytes, T* value) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(value, bytes.data(), sizeof(T));
  return true;
}

}  // namespace ep

#endif  // CSRC_REGION_NIXL_MESSAGE_H_
