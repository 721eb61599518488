#include "csrc/region/nixl_link.h"

#include <algorithm>
#include <utility>

#include "csrc/region/nixl_message.h"

namespace ep {
namespace {

std::string Rank(uint32_t rank) { return "rank " + std::to_string(rank); }

// Whether a region has a word there; it has one at least.
bool IsWord(uint64_t offset, uint64_t region_bytes) {
  return offset % kWordBytes == 0 && offset <= region_bytes - kWordBytes;
}

}  // namespace

void NixlLink::Send(uint32_t peer, std::span<const Extent> extents,
                    std::span<const RaisedWord> words) {
  const std::lock_guard lock(mutex_);
  Status status = Check(peer, extents, words);
  if (status.ok()) status = Begin(peer, extents, words);
  if (!status.ok()) Fail(peer, status.In("send to " + Rank(peer)));
}

Status NixlLink::Check(uint32_t peer, std::span<const Extent> extents,
                       std::span<const RaisedWord> words) const {
  if (!connected_) return {Code::kState, "the link is not connected"};
  if (peer >= config_.ranks || peer == config_.rank) return {Code::kInvalid, "it is no peer"};
  for (const Extent& extent : extents) {
    if (extent.offset > config_.bytes || extent.bytes > config_.bytes - extent.offset) {
      return {Code::kInvalid, std::to_string(extent.bytes) + " bytes at " +
                                  std::to_string(extent.offset) + " are beyond the region"};
    }
  }
  if (words.empty() || words.size() > kMostWords) {
    return {Code::kInvalid, std::to_string(words.size()) + " words in a message, which has 1 to " +
                                std::to_string(kMostWords) + "; are chunks too small?"};
  }
  for (const RaisedWord& word : words) {
    if (!IsWord(word.offset, config_.bytes)) {
      return {Code::kInvalid, "there is no word at " + std::to_string(word.offset)};
    }
  }
  return {};
}

Status NixlLink::Begin(uint32_t peer, std::span<const Extent> extents,
                       std::span<const RaisedWord> words) {
  Channel& channel = channels_[peer];
  if (channel.write != nullptr) {
    return {Code::kState, "the previous message is under way"};
  }
  return Post(channel, *EP_TRY(Find(channel, extents)), words);
}

Result<nixl::Write*> NixlLink::Find(Channel& channel, std::span<const Extent> extents) {
  for (Made& made : channel.made) {
    if (made.write.ok() && std::ranges::equal(made.extents, extents)) return &made.write;
  }
  Made& made = channel.made[channel.replace_next++ % std::size(channel.made)];
  made.extents.assign(extents.begin(), extents.end());
  const Peer& peer = peers_[channel.peer];
  const auto from = reinterpret_cast<uintptr_t>(image(channel.peer));
  std::vector<nixl::Range> local;
  std::vector<nixl::Range> remote;
  for (const Extent& extent : extents) {
    if (extent.bytes == 0) continue;
    local.push_back({from + extent.offset, extent.bytes});
    remote.push_back({peer.region + extent.offset, extent.bytes});
  }
  // A notification alone cannot be asked whether it has left, but the engine must know: who waits
  // for it does so while we may not come by any more. So a filler goes along that nobody reads.
  if (local.empty()) {
    local.push_back(
        {reinterpret_cast<uintptr_t>(fillers_.data()) + config_.rank * kWordBytes, kWordBytes});
    remote.push_back({peer.our_filler, kWordBytes});
  }
  if (Status status = agent_->MakeWrite(local, peer.agent, remote, &made.write); !status.ok()) {
    made.write = {};
    return status;
  }
  return &made.write;
}

Status NixlLink::Post(Channel& channel, nixl::Write& write, std::span<const RaisedWord> words) {
  EncodeNotification(config_.rank, words, &sent_);
  bool done = false;
  EP_TRY(agent_->Post(write, sent_, &done));
  if (done) return {};
  channel.write = &write;
  channel.begun_ns = NowNs();
  active_.push_back(&channel);
  under_way_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void NixlLink::Progress() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) MoveOn();
}

void NixlLink::MoveOn() {
  for (size_t i = 0; i < active_.size();) {
    Channel& channel = *active_[i];
    bool done = false;
    Status status = agent_->Poll(*channel.write, &done);
    // NIXL itself waits for ever for a peer that has ended.
    if (status.ok() && !done && NowNs() - channel.begun_ns > config_.wait_timeout_ns) {
      status = {Code::kTimeout, "not done after " + Milliseconds(config_.wait_timeout_ns) +
                                    " (has it ended, or does it wait for another?)"};
    }
    if (status.ok() && !done) {
      ++i;
      continue;
    }
    // What has failed counts as under way for ever: its memory may not be used again.
    if (done) {
      channel.write = nullptr;
      under_way_.fetch_sub(1, std::memory_order_release);
    } else {
      Fail(channel.peer, status.In("send to " + Rank(channel.peer)));
    }
    active_[i] = active_.back();
    active_.pop_back();
  }
  Status status =
      agent_->Notifications([this](std::string_view agent, std::span<const uint8_t> notification) {
        Arrived(agent, notification);
      });
  if (!status.ok()) Fail(config_.rank, std::move(status));
}

void NixlLink::Arrived(std::string_view agent, std::span<const uint8_t> bytes) {
  NixlNotification head;
  if (!ReadFrom(bytes, &head) || head.rank >= config_.ranks || peers_[head.rank].agent != agent) {
    return Fail(config_.rank,
                {Code::kProtocol, "a notification of " + std::to_string(bytes.size()) +
                                      " bytes from " + std::string(agent) +
                                      ", which is no rank's; does another run have "
                                      "the same name?"});
  }
  if (!DecodeWords(head, bytes, &received_)) {
    return Fail(head.rank,
                {Code::kProtocol,
                 "a message of " + Rank(head.rank) + " with " + std::to_string(bytes.size()) +
                     " bytes that are no " + std::to_string(head.count) + " words, of at most " +
                     std::to_string(kMostWords) + "; do all ranks run the same build?"});
  }
  if (head.count == 0) ++peers_[head.rank].greetings;
  Status status = SetWords(head.rank, received_);
  if (!status.ok()) Fail(head.rank, std::move(status));
}

Status NixlLink::SetWords(uint32_t rank, std::span<const RaisedWord> words) {
  for (const RaisedWord& word : words) {
    if (IsWord(word.offset, config_.bytes)) continue;
    return {Code::kProtocol, "a message of " + Rank(rank) + " wants to set a word at " +
                                 std::to_string(word.offset) + " of " +
                                 std::to_string(config_.bytes) + " bytes"};
  }
  for (const RaisedWord& word : words) {
    std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(data() + word.offset))
        .store(word.value, std::memory_order_release);
  }
  return {};
}

void NixlLink::Fail(uint32_t peer, Status status) {
  under_way_.fetch_add(1, std::memory_order_relaxed);  // never idle again
  if (!failure_.ok()) return;
  failure_ = std::move(status);
  failed_peer_ = peer;
  failed_.store(true, std::memory_order_release);
}

Status NixlLink::Failure(uint32_t* peer) {
  if (!failed_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(mutex_);
  *peer = failed_peer_;
  return failure_;
}

}  // namespace ep
