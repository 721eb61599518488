// Stores that have been made and that nobody else sees yet.
//
// A store waits here until it is drawn at random, or until a release that is ordered after it. Who
// is ordered after what is kept as lists: a lane knows its own stores; those who meet at a barrier
// know each other's; who adds to a ticket with acquire and release order knows what all had known
// that added before. A release makes visible what its lane knows, and not one store more.
//
// So it finds a release that is missing, too weak, too early, or made by somebody who is not
// ordered after the stores that it stands for. What it cannot find is a fault of the reading side,
// since a load here always reads what is in memory: a missing acquire, loads that overtake one
// another, a stale line of a GPU's first-level cache. Nor does it see stores that the bodies make
// themselves (into what only their own worker or a later kernel reads): those are visible at once.
// A lane does not see its own stores before others do; no body reads what it has written through
// its device, but for what a flag has come back for.
#ifndef CSRC_SIMT_STORE_BUFFER_H_
#define CSRC_SIMT_STORE_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "csrc/simt/random.h"

namespace ep::simt {

class StoreBuffer {
 public:
  // Numbers of stores, in no order; those that are visible by now do no harm.
  using Known = std::vector<uint64_t>;

  // Takes a store on, in parts as wide as a GPU's widest; `known` is the lane's.
  void Put(uint32_t rank, void* to, const void* from, size_t bytes, Known* known);

  // Adds to `to` what `from` knows.
  void Tell(const Known& from, Known* to) const;
  // Makes all of it visible and forgets it.
  void Release(Known* known);
  // Makes some store visible, any that waits.
  void ReleaseAny(Random* random);
  // What a rank's kernel leaves behind is visible when it ends.
  void ReleaseRank(uint32_t rank);
  // Gives up what waits.
  void Clear();

  size_t Waiting() const { return waiting_.size(); }

 private:
  static constexpr size_t kWidest = 16;

  struct Store {
    uint8_t* to;
    uint32_t rank;
    uint8_t bytes;
    bool visible;
    uint32_t place;  // in waiting_
    uint8_t value[kWidest];
  };

  bool Waits(uint64_t number) const { return number >= first_ && !At(number).visible; }
  Store& At(uint64_t number) { return stores_[number - first_]; }
  const Store& At(uint64_t number) const { return stores_[number - first_]; }
  void MakeVisible(uint64_t number);

  // Since the buffer was last empty; the number of the first is first_.
  std::vector<Store> stores_;
  uint64_t first_ = 0;
  std::vector<uint64_t> waiting_;
};

}  // namespace ep::simt

#endif  // CSRC_SIMT_STORE_BUFFER_H_
