// What the lanes of a block share, and how a machine says where they stand.
#ifndef CSRC_SIMT_BLOCK_H_
#define CSRC_SIMT_BLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "csrc/simt/machine.h"

namespace ep::simt {

struct Crew {
  Meeting meeting;
  uint32_t at_barrier = 0;  // lanes that wait at the block's
  uint32_t gone = 0;        // lanes that have returned
  uint64_t given[kCrewLanes];
  uint64_t result[kCrewLanes];
};

struct Block {
  uint32_t rank;
  uint32_t index;
  uint32_t blocks;
  std::vector<Lane*> lanes;
  std::vector<Crew> crews;
  std::vector<uint8_t> shared;
  Meeting barrier;
  uint32_t gone = 0;
  bool said = false;     // by a lane that waits at the barrier
  bool anybody = false;  // what the last barrier came to
  std::vector<Lane*> ready;
  size_t place = 0;  // among the machine's blocks that are ready
};

// "bitmap_plan.h:169".
std::string Text(const Site& site);
// "in SyncCrew at bitmap_plan.h:169: lanes 0-12 15; returned: lanes 31".
std::string Standing(const Block& block);

}  // namespace ep::simt

#endif  // CSRC_SIMT_BLOCK_H_
