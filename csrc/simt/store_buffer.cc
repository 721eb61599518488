#include "csrc/simt/store_buffer.h"

#include <algorithm>
#include <cstring>

namespace ep::simt {

void StoreBuffer::Put(uint32_t rank, void* to, const void* from, size_t bytes, Known* known) {
  auto* target = static_cast<uint8_t*>(to);
  const auto* source = static_cast<const uint8_t*>(from);
  for (size_t done = 0; done < bytes; done += kWidest) {
    const size_t part = std::min(kWidest, bytes - done);
    const uint64_t number = first_ + stores_.size();
    Store store = {.to = target + done,
                   .rank = rank,
                   .bytes = static_cast<uint8_t>(part),
                   .visible = false,
                   .place = static_cast<uint32_t>(waiting_.size()),
                   .value = {}};
    std::memcpy(store.value, source + done, part);
    stores_.push_back(store);
    waiting_.push_back(number);
    known->push_back(number);
  }
}

void StoreBuffer::MakeVisible(uint64_t number) {
  Store& store = At(number);
  std::memcpy(store.to, store.value, store.bytes);
  store.visible = true;
  const uint64_t last = waiting_.back();
  waiting_[store.place] = last;
  At(last).place = store.place;
  waiting_.pop_back();
  if (!waiting_.empty()) return;
  first_ += stores_.size();
  stores_.clear();
}

void StoreBuffer::Tell(const Known& from, Known* to) const {
  for (const uint64_t number : from) {
    if (Waits(number)) to->push_back(number);
  }
}

void StoreBuffer::Release(Known* known) {
  for (const uint64_t number : *known) {
    if (Waits(number)) MakeVisible(number);
  }
  known->clear();
}

void StoreBuffer::ReleaseAny(Random* random) {
  MakeVisible(waiting_[random->Below(static_cast<uint32_t>(waiting_.size()))]);
}

void StoreBuffer::ReleaseRank(uint32_t rank) {
  // From the back: what moves into a gap has been looked at.
  for (size_t i = waiting_.size(); i-- > 0;) {
    if (At(waiting_[i]).rank == rank) MakeVisible(waiting_[i]);
  }
}

void StoreBuffer::Clear() {
  first_ += stores_.size();
  stores_.clear();
  waiting_.clear();
}

}  // namespace ep::simt
