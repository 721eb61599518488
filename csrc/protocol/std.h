// The one door from the protocol headers to a standard library.
//
// The same headers are compiled by the host compiler and, for GPUs, by NVRTC, which has no host
// headers at all: there libcu++ stands in. NVRTC runs with -default-device, so that no function
// needs a mark of where it runs.
#ifndef CSRC_PROTOCOL_STD_H_
#define CSRC_PROTOCOL_STD_H_

#if defined(__CUDACC_RTC__)
#include <cuda/std/bit>
#include <cuda/std/cstddef>
#include <cuda/std/cstdint>
namespace ep {
namespace stdlib = ::cuda::std;
}  // namespace ep
#else
#include <bit>
#include <cstddef>
#include <cstdint>
namespace ep {
namespace stdlib = ::std;
}  // namespace ep
#endif

// A step that is part of one loop on a GPU: called, its lanes' values would go through memory.
#if defined(__CUDACC_RTC__)
#define EP_INLINE __forceinline__
#else
#define EP_INLINE inline
#endif

// Before a loop that is not worth its code four times: a GPU that runs it once waits for every line
// of code as it does for data.
#if defined(__CUDACC_RTC__)
#define EP_ROLLED _Pragma("unroll 1")
#else
#define EP_ROLLED
#endif

// A step that hardly ever happens: a GPU that runs a kernel once waits for all code on its way, and
// this is not. What it gets and gives are values, which stay in registers.
#if defined(__CUDACC_RTC__)
#define EP_COLD __noinline__
#else
#define EP_COLD [[gnu::cold]]
#endif

namespace ep {

using stdlib::bit_cast;
using stdlib::int32_t;
using stdlib::size_t;
using stdlib::uint16_t;
using stdlib::uint32_t;
using stdlib::uint64_t;
using stdlib::uint8_t;

// Rounds `value` up to a multiple of `unit`.
constexpr uint64_t RoundUp(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Divides by a number that is known before, with a multiplication: any n that times the divisor is
// below 2^32.
struct Divisor {
  uint32_t by;
  uint64_t inverse;

  constexpr Divisor() : Divisor(1) {}
  constexpr explicit Divisor(uint32_t divisor)
      : by(divisor), inverse(((uint64_t{1} << 32) + divisor - 1) / divisor) {}
  constexpr uint32_t Of(uint32_t n) const { return static_cast<uint32_t>(n * inverse >> 32); }
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_STD_H_
