// Tells hosts apart whose ranks can map each other's memory.
#ifndef CSRC_REGION_HOST_IDENTITY_H_
#define CSRC_REGION_HOST_IDENTITY_H_

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ep {

// Of a host's name and of the processes that can see each other there: memory is mapped through
// /proc. FNV-1a, never 0.
inline uint64_t HashOfHost(const std::string& host) {
  if (host.empty()) return 0;
  char processes[64] = {};
  const ssize_t got = readlink("/proc/self/ns/pid", processes, sizeof(processes));
  uint64_t hash = 0xCBF29CE484222325;
  const auto add = [&hash](const char* text, size_t length) {
    for (size_t i = 0; i < length; ++i) {
      hash = (hash ^ static_cast<uint8_t>(text[i])) * 0x100000001B3;
    }
  };
  add(host.c_str(), host.size() + 1);
  add(processes, got > 0 ? static_cast<size_t>(got) : 0);
  return hash | 1;
}

}  // namespace ep

#endif  // CSRC_REGION_HOST_IDENTITY_H_
