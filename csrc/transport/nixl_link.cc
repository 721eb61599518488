#include "csrc/transport/nixl_link.h"

#include <algorithm>
#include <utility>

#include "csrc/transport/nixl_message.h"

namespace ep {
namespace {

std::string Rank(uint32_t rank) { return "rank " + std::to_string(rank); }

Status In(const std::string& what, Status status) {
  return status.ok() ? status : Status(status.code(), what + ": " + status.text());
}

}  // namespace

void NixlLink::Send(uint32_t peer, Route route, std::span<const Extent> extents, uint64_t flag,
                    uint64_t value) {
  const std::lock_guard lock(mutex_);
  Status status = Check(peer, extents, flag);
  if (status.ok()) status = Begin(peer, route, extents, flag, value);
  if (!status.ok()) Fail(peer, In("send to " + Rank(peer), std::move(status)));
}

Status NixlLink::Check(uint32_t peer, std::span<const Extent> extents, uint64_t flag) const {
  if (!connected_) return {Code::kState, "the link is not connected"};
  if (peer >= config_.ranks || peer == config_.rank) return {Code::kInvalid, "it is no peer"};
  const auto beyond = [&](uint64_t offset, uint64_t bytes) {
    return offset > config_.region_bytes || bytes > config_.region_bytes - offset;
  };
  for (const Extent& extent : extents) {
    if (beyond(extent.offset, extent.bytes)) {
      return {Code::kInvalid, std::to_string(extent.bytes) + " bytes at " +
                                  std::to_string(extent.offset) + " are beyond the region"};
    }
  }
  if (flag % kWordBytes != 0 || beyond(flag, kWordBytes)) {
    return {Code::kInvalid, "there is no flag at " + std::to_string(flag)};
  }
  return {};
}

Status NixlLink::Begin(uint32_t peer, Route route, std::span<const Extent> extents, uint64_t flag,
                       uint64_t value) {
  Channel& channel = channels_[2 * peer + (route == Route::kRegionToImage)];
  if (channel.write != nullptr) {
    return {Code::kState, "the previous message of the same route is under way"};
  }
  Made* made = nullptr;
  Status status = Find(channel, route, extents, &made);
  return status.ok() ? Post(channel, made->write, flag, value) : status;
}

Status NixlLink::Find(Channel& channel, Route route, std::span<const Extent> extents,
                      Made** found) {
  for (Made& made : channel.made) {
    *found = &made;
    if (made.write.ok() && std::ranges::equal(made.extents, extents)) return {};
  }
  Made& made = channel.made[channel.replace_next++ % std::size(channel.made)];
  *found = &made;
  made.extents.assign(extents.begin(), extents.end());
  const Peer& peer = peers_[channel.peer];
  const bool push = route == Route::kImageToRegion;
  const auto from = reinterpret_cast<uintptr_t>(push ? image(channel.peer) : region());
  const uintptr_t to = push ? peer.region : peer.our_image;
  std::vector<nixl::Range> local;
  std::vector<nixl::Range> remote;
  for (const Extent& extent : extents) {
    if (extent.bytes == 0) continue;
    local.push_back({from + extent.offset, extent.bytes});
    remote.push_back({to + extent.offset, extent.bytes});
  }
  // A notification alone cannot be asked whether it has left, but the engine must know: who waits
  // for it does so while we may not come by any more. So a word goes along that nobody reads.
  if (local.empty()) {
    local.push_back(
        {reinterpret_cast<uintptr_t>(words_.data()) + config_.rank * kWordBytes, kWordBytes});
    remote.push_back({peer.our_word, kWordBytes});
  }
  Status status = agent_->MakeWrite(local, peer.agent, remote, &made.write);
  if (!status.ok()) made.write = {};
  return status;
}

Status NixlLink::Post(Channel& channel, nixl::Write& write, uint64_t flag, uint64_t value) {
  const NixlNotification notification = {config_.rank, flag, value};
  bool done = false;
  Status status = agent_->Post(write, BytesOf(notification), &done);
  if (!status.ok() || done) return status;
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
      Fail(channel.peer, In("send to " + Rank(channel.peer), std::move(status)));
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
  NixlNotification notification;
  const bool whole = bytes.size() == sizeof(notification) && ReadFrom(bytes, &notification);
  if (!whole || notification.rank >= config_.ranks || peers_[notification.rank].agent != agent) {
    return Fail(config_.rank,
                {Code::kProtocol, "a notification of " + std::to_string(bytes.size()) +
                                      " bytes from " + std::string(agent) +
                                      ", which is no rank's; does another run have "
                                      "the same name?"});
  }
  const auto rank = static_cast<uint32_t>(notification.rank);
  const uint64_t flag = notification.flag;
  if (flag == NixlNotification::kGreeting) {
    ++peers_[rank].greetings;
    return;
  }
  if (flag % kWordBytes != 0 || flag > config_.region_bytes - kWordBytes) {
    return Fail(rank, {Code::kProtocol, "a message of " + Rank(rank) + " wants to set a flag at " +
                                            std::to_string(flag) + " of " +
                                            std::to_string(config_.region_bytes) + " bytes"});
  }
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(region() + flag))
      .store(notification.value, std::memory_order_release);
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
