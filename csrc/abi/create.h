// How a rank comes to be: what C asks for, checked and turned into an engine.
#ifndef CSRC_ABI_CREATE_H_
#define CSRC_ABI_CREATE_H_

#include <memory>

#include "csrc/abi/ep.h"
#include "csrc/rank/calibrate.h"
#include "csrc/rank/engine.h"

namespace ep::abi {

struct Rank {
  std::unique_ptr<Engine> impl;
  std::unique_ptr<Calibration> calibration;  // null without landing rows
};

Shape ToShape(const ep_shape& shape);

Status Create(const ep_config& config, Rank* rank);

}  // namespace ep::abi

#endif  // CSRC_ABI_CREATE_H_
