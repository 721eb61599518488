#include "csrc/nixl/agent.h"

#include <cstdlib>

namespace ep::nixl {
namespace {

constexpr char kPlugin[] = "UCX";

}  // namespace

Agent::Agent(std::shared_ptr<const Library> library, std::string name)
    : library_(std::move(library)), name_(std::move(name)), log_begin_(library_->BeginLog()) {}

Agent::~Agent() {
  notifications_.reset();
  arguments_.reset();
  backend_.reset();
  agent_.reset();
  library_->EndLog();
}

Status Agent::Create(std::shared_ptr<const Library> library, const Options& options,
                     std::unique_ptr<Agent>* agent) {
  std::unique_ptr<Agent> made(new Agent(std::move(library), options.name));
  const capi::AgentConfig config = {.progress_thread = false,
                                    .listen_thread = false,
                                    .listen_port = 0,
                                    .thread_sync = capi::kSyncReadWrite,
                                    .workers = 1,
                                    .progress_thread_delay_us = 0,
                                    .listen_thread_delay_us = 0,
                                    .capture_telemetry = false};
  const capi::Functions& f = made->functions();
  EP_TRY(made->library_->Check(Make(&made->agent_, f.destroy_agent, f.create_configured_agent,
                                    options.name.c_str(), &config),
                               "create the NIXL agent " + options.name));
  EP_TRY(made->CreateBackend(options));
  EP_TRY(made->library_->Check(Make(&made->notifications_, f.destroy_notif_map, f.create_notif_map),
                               "make room for notifications"));
  *agent = std::move(made);
  return {};
}

Status Agent::CreateBackend(const Options& options) {
  const capi::Functions& f = functions();
  capi::MemoryList* memories = nullptr;
  capi::Parameters* defaults = nullptr;
  EP_TRY(library_->Check(f.get_plugin_params(agent_.get(), kPlugin, &memories, &defaults),
                         "find NIXL's UCX plugin (is NIXL_PLUGIN_DIR right?)"));
  const Handle<capi::MemoryList> memory_list(memories, {f.destroy_mem_list});
  const Handle<capi::Parameters> parameters(defaults, {f.destroy_params});
  for (const auto& [key, value] : options.parameters) {
    EP_TRY(library_->Check(f.params_add(parameters.get(), key.c_str(), value.c_str()),
                           "set NIXL's parameter " + key + " to " + value));
  }
  EP_TRY(library_->Check(
      Make(&backend_, f.destroy_backend, f.create_backend, agent_.get(), kPlugin, parameters.get()),
      "create NIXL's UCX backend"));
  EP_TRY(library_->Check(Make(&arguments_, f.destroy_opt_args, f.create_opt_args),
                         "make NIXL's arguments"));
  return library_->Check(f.opt_args_add_backend(arguments_.get(), backend_.get()),
                         "choose NIXL's UCX backend");
}

Status Agent::RegistrationList(std::span<const Range> ranges, Memory memory,
                               Handle<capi::RegistrationList>* list) const {
  const capi::Functions& f = functions();
  capi::Code code = Make(list, f.destroy_reg_dlist, f.create_reg_dlist, memory.type);
  for (size_t i = 0; i < ranges.size() && code == capi::kSuccess; ++i) {
    code = f.reg_dlist_add_desc(list->get(), ranges[i].address, ranges[i].bytes, memory.gpu,
                                nullptr, 0);
  }
  return library_->Check(code, "list " + std::to_string(ranges.size()) + " ranges of memory");
}

Status Agent::Register(std::span<const Range> ranges, Memory memory) {
  Handle<capi::RegistrationList> list;
  EP_TRY(RegistrationList(ranges, memory, &list));
  const capi::Code code = functions().register_mem(agent_.get(), list.get(), arguments_.get());
  if (code == capi::kSuccess) return {};
  uint64_t bytes = 0;
  for (const Range& range : ranges) bytes += range.bytes;
  std::string what = "register " + std::to_string(bytes) + " bytes in " +
                     std::to_string(ranges.size()) + " ranges with NIXL ";
  if (memory.type == capi::kDram) {
    return library_->Check(code, what + "(does `ulimit -l` allow so much?)");
  }
  what += "as memory of GPU " + std::to_string(memory.gpu) + " (UCX needs its module cuda; it has";
  for (const std::string& module : Describe().modules) what += " " + module;
  return library_->Check(code, what + ")").Try(EP_HINT_WHOLE_NIXL);
}

Status Agent::Deregister(std::span<const Range> ranges, Memory memory) {
  Handle<capi::RegistrationList> list;
  EP_TRY(RegistrationList(ranges, memory, &list));
  return library_->Check(functions().deregister_mem(agent_.get(), list.get(), arguments_.get()),
                         "deregister memory from NIXL (was it registered?)");
}

Status Agent::Metadata(std::vector<uint8_t>* metadata) const {
  void* data = nullptr;
  size_t bytes = 0;
  EP_TRY(library_->Check(functions().get_local_md(agent_.get(), &data, &bytes),
                         "get the metadata of " + name_));
  const auto* begin = static_cast<const uint8_t*>(data);
  metadata->assign(begin, begin + bytes);
  std::free(data);
  return {};
}

Status Agent::LoadPeer(std::span<const uint8_t> metadata, std::string* peer) {
  char* name = nullptr;
  EP_TRY(library_->Check(
      functions().load_remote_md(agent_.get(), metadata.data(), metadata.size(), &name),
      "load a peer's " + std::to_string(metadata.size()) +
          " bytes of metadata (has it ended, or does it run another NIXL?)"));
  *peer = name;
  std::free(name);
  return {};
}

Status Agent::Connect(const std::string& peer) {
  return library_->Check(
      functions().agent_make_connection(agent_.get(), peer.c_str(), arguments_.get()),
      "connect to " + peer + " (has it ended, or do the UCX_* variables of both differ?)");
}

Status Agent::ForgetPeer(const std::string& peer) {
  return library_->Check(functions().invalidate_remote_md(agent_.get(), peer.c_str()),
                         "forget " + peer);
}

Status Agent::ReleaseView(capi::MemoryView* view) {
  return library_->Check(functions().release_mem_view(agent_.get(), view), "release a memory view");
}

Status Agent::ViewOf(std::span<const PeerRange> ranges, capi::MemoryView** view) {
  const capi::Functions& f = functions();
  Handle<capi::RemoteList> list;
  capi::Code code = Make(&list, f.destroy_remote_dlist, f.create_remote_dlist, capi::kVram);
  for (size_t i = 0; i < ranges.size() && code == capi::kSuccess; ++i) {
    const PeerRange& of = ranges[i];
    code = f.remote_dlist_add_desc(list.get(), of.range.address, of.range.bytes, of.gpu,
                                   of.peer.c_str());
  }
  if (code == capi::kSuccess) {
    code = f.prep_mem_view_remote(agent_.get(), list.get(), view, arguments_.get());
  }
  return library_->Check(code, "make a view of " + std::to_string(ranges.size()) +
                                   " ranges of peers' GPU memory (has UCX a transport that kernels "
                                   "can use, NVLink or a NIC that GPUs drive?)");
}

}  // namespace ep::nixl
