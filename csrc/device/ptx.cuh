// Every instruction of the GPU that the kernels need and C++ has no word for. What orders memory
// has its order and scope in its name; csrc/device/cpu.h is the same for a CPU.
#ifndef CSRC_DEVICE_PTX_CUH_
#define CSRC_DEVICE_PTX_CUH_

#include "csrc/protocol/std.h"

namespace ep::ptx {

// 16 bytes, the most that one lane moves at once.
struct alignas(16) Vector {
  uint32_t word[4];
};

// Input that nobody writes while the kernel runs.
inline Vector LoadInput(const void* from) {
  Vector v;
  asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(from));
  return v;
}

// The first `bytes` of a vector of it, 8 or at least 16, aligned to 8.
inline Vector LoadInputUpTo(const void* from, uint32_t bytes) {
  if (reinterpret_cast<uint64_t>(from) % sizeof(Vector) == 0 && bytes >= sizeof(Vector)) {
    return LoadInput(from);
  }
  Vector v = {};
  asm("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(v.word[0]), "=r"(v.word[1]) : "l"(from));
  if (bytes < sizeof(Vector)) return v;
  asm("ld.global.nc.v2.u32 {%0, %1}, [%2];"
      : "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(static_cast<const uint8_t*>(from) + 8));
  return v;
}

// What a peer has written: a plain load, since what the non-coherent path holds may be old.
inline Vector LoadPeer(const void* from) {
  Vector v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
               : "l"(from)
               : "memory");
  return v;
}

// The same from shared memory, too, wherever a generic address leads.
inline Vector LoadAnywhere(const void* from) {
  Vector v;
  asm volatile("ld.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
               : "l"(from)
               : "memory");
  return v;
}

inline uint32_t LoadPeer(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.global.L1::no_allocate.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}
inline float LoadPeer(const float* from) {
  float value;
  asm volatile("ld.global.L1::no_allocate.f32 %0, [%1];" : "=f"(value) : "l"(from) : "memory");
  return value;
}

// To wherever the address leads, this GPU's memory or a peer's.
inline void StoreVector(void* to, const Vector& v) {
  asm volatile("st.global.L1::no_allocate.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(v.word[0]),
               "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3])
               : "memory");
}

// Whether `bytes` at an address are whole vectors: rows of FP8 whose channels are no multiple of 16
// are not.
inline bool IsWhole(const void* at, uint32_t bytes) {
  return (static_cast<uint32_t>(reinterpret_cast<uint64_t>(at)) | bytes) % sizeof(Vector) == 0;
}

// The first `bytes` of a vector, 8 or at least 16; `to` is aligned to 8 alone.
inline void StoreUpTo(void* to, const Vector& v, uint32_t bytes) {
  asm volatile("st.global.L1::no_allocate.v2.u32 [%0], {%1, %2};" ::"l"(to), "r"(v.word[0]),
               "r"(v.word[1])
               : "memory");
  if (bytes < sizeof(Vector)) return;
  asm volatile(
      "st.global.L1::no_allocate.v2.u32 [%0], {%1, %2};" ::"l"(static_cast<uint8_t*>(to) + 8),
      "r"(v.word[2]), "r"(v.word[3])
      : "memory");
}

// 16 bytes as one, between GPUs.
inline void StoreRelaxedSystem(void* to, const Vector& v) {
  asm volatile(
      "{\n\t.reg .b64 low, high;\n\t.reg .b128 all;\n\t"
      "mov.b64 low, {%1, %2};\n\tmov.b64 high, {%3, %4};\n\tmov.b128 all, {low, high};\n\t"
      "st.relaxed.sys.global.b128 [%0], all;\n\t}" ::"l"(to),
      "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3])
      : "memory");
}
inline Vector LoadRelaxedSystem(const void* from) {
  Vector v;
  asm volatile(
      "{\n\t.reg .b64 low, high;\n\t.reg .b128 all;\n\t"
      "ld.relaxed.sys.global.b128 all, [%4];\n\tmov.b128 {low, high}, all;\n\t"
      "mov.b64 {%0, %1}, low;\n\tmov.b64 {%2, %3}, high;\n\t}"
      : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(from)
      : "memory");
  return v;
}

inline uint64_t LoadAcquireSystem(const uint64_t* from) {
  uint64_t value;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(from) : "memory");
  return value;
}

inline void StoreReleaseSystem(uint64_t* to, uint64_t value) {
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(to), "l"(value) : "memory");
}

inline void StoreRelaxedSystem(uint64_t* to, uint64_t value) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(to), "l"(value) : "memory");
}

inline void StoreRelaxedDevice(uint64_t* to, uint64_t value) {
  asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(to), "l"(value) : "memory");
}

inline void FenceAcquireReleaseDevice() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

inline void FenceAcquireReleaseSystem() { asm volatile("fence.acq_rel.sys;" ::: "memory"); }

inline uint32_t LoadRelaxedSystem(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.relaxed.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

inline uint32_t LoadRelaxedDevice(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

inline void StoreRelaxedDevice(uint32_t* to, uint32_t value) {
  asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}

inline uint32_t AddAcquireReleaseDevice(uint32_t* to, uint32_t value) {
  uint32_t before;
  asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(to), "r"(value)
               : "memory");
  return before;
}

// In the block's shared memory, wherever a generic address of it leads.
inline void AddReleaseBlock(uint32_t* to, uint32_t value) {
  asm volatile("red.add.release.cta.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}
inline void StoreReleaseBlock(uint32_t* to, uint32_t value) {
  asm volatile("st.release.cta.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}
inline uint32_t LoadAcquireBlock(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.acquire.cta.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

// Beyond `most` it begins anew from 0.
inline uint32_t IncrementRelaxedDevice(uint32_t* to, uint32_t most) {
  uint32_t before;
  asm volatile("atom.inc.relaxed.gpu.global.u32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(to), "r"(most)
               : "memory");
  return before;
}

inline uint32_t Multiprocessor() {
  uint32_t id;
  asm volatile("mov.u32 %0, %smid;" : "=r"(id));
  return id;
}

inline uint32_t ExchangeRelaxedDevice(uint32_t* to, uint32_t value) {
  uint32_t before;
  asm volatile("atom.exch.relaxed.gpu.global.b32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(to), "r"(value)
               : "memory");
  return before;
}

// Of a normal number, off by one unit in the last place at most.
inline float Reciprocal(float value) {
  float reciprocal;
  asm("rcp.approx.f32 %0, %1;" : "=f"(reciprocal) : "f"(value));
  return reciprocal;
}

// Two floats to two E4M3 codes, the first in the low byte: nearest even, saturating, NaN 0x7F.
inline uint32_t ToE4m3x2(float low, float high) {
  uint16_t codes;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(codes) : "f"(high), "f"(low));
  return codes;
}

// Two floats to two BF16, the first in the low half: nearest even, NaN 0x7FFF.
inline uint32_t ToBf16x2(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// Nanoseconds of a clock that all GPUs' threads share; ticks coarsely.
inline uint64_t GlobalTimerNs() {
  uint64_t now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now)::"memory");
  return now;
}

inline void SleepNs(uint32_t ns) { asm volatile("nanosleep.u32 %0;" ::"r"(ns) : "memory"); }

}  // namespace ep::ptx

#endif  // CSRC_DEVICE_PTX_CUH_
