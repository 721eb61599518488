// Writes and notifications: the part of an agent that runs while others are measured.
#include <cstdlib>

#include "csrc/nixl/agent.h"

namespace ep::nixl {

void Write::Release::operator()(capi::TransferRequest* request) const {
  // One that is still under way may refuse to be released. It then stays until the agent ends:
  // the library may yet write to it.
  if (functions->release_xfer_req(agent, request) == capi::kSuccess) {
    functions->destroy_xfer_req(request);
  }
}

void Prepared::Release::operator()(capi::TransferHandle* handle) const {
  functions->release_xfer_dlist_handle(agent, handle);
}

Status Agent::TransferList(std::span<const Range> ranges, Memory memory,
                           Handle<capi::TransferList>* list) const {
  const capi::Functions& f = functions();
  capi::Code code = Make(list, f.destroy_xfer_dlist, f.create_xfer_dlist, memory.type);
  for (size_t i = 0; i < ranges.size() && code == capi::kSuccess; ++i) {
    code = f.xfer_dlist_add_desc(list->get(), ranges[i].address, ranges[i].bytes, memory.gpu);
  }
  if (code == capi::kSuccess) return {};
  return library_->Check(code, "list " + std::to_string(ranges.size()) + " ranges to write");
}

Status Agent::Adopt(capi::TransferRequest* request, Write* write) {
  write->request_ = {request, Write::Release{&functions(), agent_.get()}};
  if (write->arguments_ != nullptr) return {};
  const capi::Functions& f = functions();
  capi::Code code = Make(&write->arguments_, f.destroy_opt_args, f.create_opt_args);
  if (code == capi::kSuccess) code = f.opt_args_set_has_notif(write->arguments_.get(), true);
  return library_->Check(code, "make NIXL's arguments");
}

Status Agent::MakeWrite(std::span<const Range> local, const std::string& peer,
                        std::span<const Range> remote, Write* write, Memory from_memory,
                        Memory to_memory) {
  Handle<capi::TransferList> from;
  Handle<capi::TransferList> to;
  EP_TRY(TransferList(local, from_memory, &from));
  EP_TRY(TransferList(remote, to_memory, &to));
  capi::TransferRequest* request = nullptr;
  const capi::Code code = functions().create_xfer_req(
      agent_.get(), capi::kWrite, from.get(), to.get(), peer.c_str(), &request, arguments_.get());
  if (code == capi::kSuccess) return Adopt(request, write);
  return library_->Check(code, "make a write of " + std::to_string(local.size()) + " ranges to " +
                                   peer + " (are all of them registered?)");
}

Status Agent::Prepare(const char* peer, std::span<const Range> ranges, Prepared* prepared) {
  Handle<capi::TransferList> list;
  EP_TRY(TransferList(ranges, Memory::Host(), &list));
  capi::TransferHandle* handle = nullptr;
  EP_TRY(library_->Check(
      functions().prep_xfer_dlist(agent_.get(), peer, list.get(), &handle, arguments_.get()),
      "prepare " + std::to_string(ranges.size()) +
          " ranges to write (are all of them registered?)"));
  prepared->handle_ = {handle, Prepared::Release{&functions(), agent_.get()}};
  return {};
}

Status Agent::Prepare(std::span<const Range> local, Prepared* prepared) {
  return Prepare("", local, prepared);
}

Status Agent::Prepare(const std::string& peer, std::span<const Range> remote, Prepared* prepared) {
  return Prepare(peer.c_str(), remote, prepared);
}

Status Agent::MakeWrite(const Prepared& local, std::span<const int> local_indices,
                        const Prepared& remote, std::span<const int> remote_indices, Write* write) {
  capi::TransferRequest* request = nullptr;
  const capi::Code code = functions().make_xfer_req(
      agent_.get(), capi::kWrite, local.handle_.get(), local_indices.data(), local_indices.size(),
      remote.handle_.get(), remote_indices.data(), remote_indices.size(), &request,
      arguments_.get());
  if (code == capi::kSuccess) return Adopt(request, write);
  return library_->Check(code, "make a write of " + std::to_string(local_indices.size()) +
                                   " prepared ranges (are they pairwise of the same size?)");
}

Status Agent::Post(Write& write, std::span<const uint8_t> notification, bool* done) {
  const capi::Functions& f = functions();
  capi::Code code =
      f.opt_args_set_notif_msg(write.arguments_.get(), notification.data(), notification.size());
  if (code == capi::kSuccess) {
    code = f.post_xfer_req(agent_.get(), write.request_.get(), write.arguments_.get());
  }
  *done = code == capi::kSuccess;
  if (code >= 0) return {};
  return library_->Check(code, "begin a write (has the peer ended?)");
}

Status Agent::Poll(Write& write, bool* done) {
  const capi::Code code = functions().get_xfer_status(agent_.get(), write.request_.get());
  *done = code == capi::kSuccess;
  if (code >= 0) return {};
  return library_->Check(code, "write (has the peer ended?)");
}

Status Agent::Notifications(
    const std::function<void(std::string_view, std::span<const uint8_t>)>& each) {
  const capi::Functions& f = functions();
  capi::NotificationMap* map = notifications_.get();
  capi::Code code = f.get_notifs(agent_.get(), map, arguments_.get());
  size_t peers = 0;
  if (code == capi::kSuccess) code = f.notif_map_size(map, &peers);
  for (size_t i = 0; i < peers && code == capi::kSuccess; ++i) {
    const char* peer = nullptr;
    size_t count = 0;
    code = f.notif_map_get_agent_at(map, i, &peer);
    if (code == capi::kSuccess) code = f.notif_map_get_notifs_size(map, peer, &count);
    for (size_t j = 0; j < count && code == capi::kSuccess; ++j) {
      const void* data = nullptr;
      size_t bytes = 0;
      code = f.notif_map_get_notif(map, peer, j, &data, &bytes);
      if (code == capi::kSuccess) each(peer, {static_cast<const uint8_t*>(data), bytes});
    }
  }
  // The library adds to the map; what stays would be seen again.
  if (peers != 0 && code == capi::kSuccess) code = f.notif_map_clear(map);
  if (code >= 0) return {};
  return library_->Check(code, "look for notifications");
}

}  // namespace ep::nixl
