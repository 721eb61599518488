// Two more ways to time operations, beside the block of back-to-back iterations: templates over
// what an engine can do, so that every engine has them.
#ifndef CSRC_ENGINE_DETAIL_H_
#define CSRC_ENGINE_DETAIL_H_

#include <cstdint>

#include "csrc/base/status.h"
#include "csrc/engine/cpu.h"
#include "csrc/host/clock.h"

namespace ep {

// Runs and times `iterations`, each after an untimed flags-only epoch: all ranks begin at once, as
// far as a flag can tell them.
template <class Engine>
Status RunFresh(Engine& engine, Operations operations, uint64_t iterations, uint64_t* duration_ns) {
  Status status;
  for (uint64_t i = 0; i < iterations && status.ok(); ++i) {
    status = engine.RunFlags(1, nullptr);
    if (status.ok()) status = engine.Run(operations, 1, &duration_ns[i]);
  }
  return status;
}

// Runs `dropped` iterations and, without a pause, `iterations` more; stores how long the latter
// took together.
template <class Engine>
Status RunChained(Engine& engine, Operations operations, uint64_t dropped, uint64_t iterations,
                  uint64_t* duration_ns) {
  Status status = engine.Run(operations, dropped, nullptr);
  const uint64_t begin_ns = MonotonicNs();
  if (status.ok()) status = engine.Run(operations, iterations, nullptr);
  *duration_ns = MonotonicNs() - begin_ns;
  return status;
}

}  // namespace ep

#endif  // CSRC_ENGINE_DETAIL_H_
