// What a lane may ask of the machine while it runs.
#include <algorithm>

#include "csrc/simt/block.h"
#include "csrc/simt/machine.h"

namespace ep::simt {

uint32_t Lane::Rank() const { return block_->rank; }
uint32_t Lane::Blocks() const { return block_->blocks; }
uint32_t Lane::BlockIndex() const { return block_->index; }
uint32_t Lane::Threads() const { return static_cast<uint32_t>(block_->lanes.size()); }
uint8_t* Lane::Shared() const { return block_->shared.data(); }
uint64_t Lane::Steps() const { return machine_->steps_; }

bool Lane::MeetBlock(const char* what, Site site, bool mine) {
  Block& block = *block_;
  Crew& crew = block.crews[thread_ / kCrewLanes];
  if (crew.meeting.waiting > 0 || block.gone > 0) {
    machine_->Diverge(this, what, site);
  }
  machine_->Arrive(this, &block.barrier, what, site);
  block.said |= mine;
  ++crew.at_barrier;
  if (block.barrier.waiting == block.barrier.size) {
    block.anybody = block.said;
    block.said = false;
    StoreBuffer::Known* known = &block.barrier.known;
    for (Crew& each : block.crews) {
      each.at_barrier = 0;
      machine_->stores_.Tell(each.meeting.known, known);
      each.meeting.known.clear();
    }
    machine_->Dismiss(&block.barrier, block.lanes.data(), true);
  }
  machine_->Switch(this);
  return block.anybody;
}

const uint64_t* Lane::MeetCrew(const char* what, Site site, uint64_t mine, bool orders) {
  Crew& crew = block_->crews[thread_ / kCrewLanes];
  if (crew.at_barrier > 0 || crew.gone > 0) {
    machine_->Diverge(this, what, site);
  }
  machine_->Arrive(this, &crew.meeting, what, site);
  crew.given[thread_ % kCrewLanes] = mine;
  if (crew.meeting.waiting == kCrewLanes) {
    std::copy(crew.given, crew.given + kCrewLanes, crew.result);
    machine_->Dismiss(&crew.meeting, &block_->lanes[thread_ / kCrewLanes * kCrewLanes], orders);
  }
  machine_->Switch(this);
  return crew.result;
}

void Lane::Yield() {
  machine_->SetReady(this);
  machine_->Switch(this);
}

void Lane::YieldAfterMiss() {
  machine_->burst_left_ = 0;
  Yield();
}

void Lane::Store(void* to, const void* from, size_t bytes) {
  machine_->stores_.Put(block_->rank, to, from, bytes, &known_);
}

void Lane::StoreStrong(void* to, const void* from, size_t bytes) {
  StoreBuffer::Known nobodys;
  machine_->strong_stores_.Put(block_->rank, to, from, bytes, &nobodys);
}

void Lane::Release() {
  machine_->stores_.Release(&known_);
  machine_->stores_.Release(&block_->crews[thread_ / kCrewLanes].meeting.known);
  machine_->stores_.Release(&block_->barrier.known);
}

uint32_t Lane::AddAcquireRelease(uint32_t* word, uint32_t more) {
  Yield();
  StoreBuffer::Known* ticket = &machine_->tickets_[word];
  machine_->stores_.Tell(*ticket, &known_);
  ticket->clear();
  machine_->stores_.Tell(known_, ticket);
  machine_->stores_.Tell(block_->crews[thread_ / kCrewLanes].meeting.known, ticket);
  machine_->stores_.Tell(block_->barrier.known, ticket);
  *word += more;
  return *word - more;
}

uint32_t Lane::LoadAcquire(const uint32_t* word) {
  YieldAfterMiss();
  const auto ticket = machine_->tickets_.find(word);
  if (ticket != machine_->tickets_.end()) {
    machine_->stores_.Tell(ticket->second, &known_);
    ticket->second.clear();
  }
  return *word;
}

uint32_t Lane::AddRelaxed(uint32_t* word, uint32_t more) {
  Yield();
  *word += more;
  return *word - more;
}

}  // namespace ep::simt
