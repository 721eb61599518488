// Time and patience of a thread.
#ifndef CSRC_BASE_CLOCK_H_
#define CSRC_BASE_CLOCK_H_

#include <sched.h>
#include <time.h>

#include <cstdint>

namespace ep {

inline uint64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Lets others run between two polls. Without `yields` the CPU is the thread's own; a wait that
// has become long, some 10 us, gives it away nevertheless: other programs run here, too.
inline void Relax(uint32_t misses, bool yields) {
  constexpr uint32_t kLongWait = 256;
  if (yields || misses >= kLongWait) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace ep

#endif  // CSRC_BASE_CLOCK_H_
