// The C interface over the engines: turns handles, enums and statuses into C, and back.
#include "csrc/abi/ep.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "csrc/abi/create.h"
#include "csrc/kernels/arguments.h"
#include "csrc/rank/allocations.h"
#include "csrc/rank/chunks.h"
#include "csrc/rank/cuda_calibrate.h"
#include "csrc/rank/engine.h"
#include "csrc/rank/gpus.h"
#include "csrc/rank/landing.h"
#include "csrc/rank/passes.h"
#include "csrc/rank/sections.h"
#include "csrc/rank/tensors.h"
#include "csrc/region/factory.h"

struct ep_engine : ep::abi::Rank {
  ep::Status last_failure;

  ep_status Return(const ep::Status& status) {
    if (!status.ok()) last_failure = status;
    switch (status.code()) {
      case ep::Code::kOk: return EP_OK;
      case ep::Code::kInvalid: return EP_INVALID;
      case ep::Code::kSystem: return EP_SYSTEM;
      case ep::Code::kTimeout: return EP_TIMEOUT;
      case ep::Code::kProtocol: return EP_PROTOCOL;
      case ep::Code::kAborted: return EP_ABORTED;
      case ep::Code::kState: return EP_STATE;
    }
    return EP_STATE;
  }
};

namespace {

using ep::abi::ToShape;

static_assert(static_cast<int>(EP_SETS) == static_cast<int>(ep::kSets));
static_assert(static_cast<int>(EP_COMBINED) == static_cast<int>(ep::Tensor::kCombined));

ep::Operations ToOperations(ep_mode mode) {
  return {.dispatch = mode == EP_MODE_DISPATCH || mode == EP_MODE_E2E,
          .combine = mode == EP_MODE_COMBINE || mode == EP_MODE_E2E};
}

ep::Pass ToPass(const ep_pass& pass) {
  return {.kind = pass.kind,
          .operations = ToOperations(pass.operation),
          .count = pass.count,
          .dropped = pass.dropped,
          .captured = pass.captured,
          .distinct_rows = pass.distinct_rows,
          .direction = static_cast<ep::Direction>(pass.direction),
          .meter = pass.meter};
}

ep::PassRunner On(ep_engine* engine) { return {*engine->impl, engine->calibration.get()}; }

void CopyText(const std::string& text, char* to, size_t capacity) {
  if (capacity == 0) return;
  const size_t length = std::min(capacity - 1, text.size());
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

void Store(const ep::Status& status, ep_failure* failure) {
  CopyText(status.text(), failure->text, sizeof(failure->text));
  failure->hint = status.hint();
}

std::string Lines(const std::vector<std::string>& items) {
  std::string lines;
  for (const std::string& item : items) lines += item + "\n";
  return lines;
}

// Runs `body`, which returns a Status; memory that cannot be had must not cross into C as an
// exception.
template <class Body>
ep_status Guarded(ep_engine* engine, Body body) {
  try {
    return engine->Return(body());
  } catch (const std::bad_alloc&) {
    return engine->Return({ep::Code::kSystem, "out of memory; try fewer ranks or tokens"});
  }
}

ep_check_result ToResult(const ep::Findings& found) {
  return {
      .rows = found.rows,
      .wrong = found.wrong,
      .kind = static_cast<ep_wrong_row_kind>(found.kind),
      .source_rank = found.source_rank,
      .token = found.token,
      .expert = found.expert,
      .channel = found.channel,
      .got = found.got,
      .want = found.want,
  };
}

// The shape of a rank's engine: what C gives, as engines of this device have it. Returns whether
// there is such an engine.
bool ToEngines(const ep_memory_config& config, ep::Shape* shape) {
  *shape = ToShape(config.shape);
  if (ep::Problem(*shape) != nullptr) return false;
  switch (config.device) {
    case EP_DEVICE_CPU:
      if (config.threads < 1) return false;
      *shape = ep::ChunkedForThreads(*shape, config.threads);
      return true;
    case EP_DEVICE_CUDA:
      *shape = ep::ShapeForGpu(*shape, config.choices, config.backend == EP_NVLINK_BACKEND_IPC);
      return true;
  }
  return false;
}

// Writes down what a rank allocates.
class MemoryList {
 public:
  explicit MemoryList(ep_memory* memory) : memory_(*memory) { memory_ = {}; }

  void Add(const char* name, ep_place place, uint64_t bytes, bool transient = false) {
    if (bytes == 0 || memory_.count == EP_ALLOCATIONS) return;
    memory_.parts[memory_.count++] = {name, place, transient, bytes};
  }

 private:
  ep_memory& memory_;
};

}  // namespace

ep_status ep_count_gpus(uint32_t* count, ep_failure* failure) {
  const ep::Status status = ep::CountGpus(count);
  Store(status, failure);
  return status.ok() ? EP_OK : EP_SYSTEM;
}

ep_status ep_describe_gpu(uint32_t gpu, ep_gpu* described) {
  ep::Gpu found;
  if (!ep::DescribeGpu(gpu, &found).ok()) return EP_INVALID;
  *described = {};
  CopyText(found.name, described->name, sizeof(described->name));
  CopyText(found.uuid, described->uuid, sizeof(described->uuid));
  CopyText(found.pci, described->pci, sizeof(described->pci));
  described->memory_bytes = found.memory_bytes;
  described->multiprocessors = found.multiprocessors;
  described->major = found.major;
  described->minor = found.minor;
  described->driver_version = found.driver_version;
  return EP_OK;
}

ep_status ep_memory_needed(const ep_memory_config* config, ep_memory* memory) {
  ep::Shape shape;
  if (!ToEngines(*config, &shape)) return EP_INVALID;
  const bool on_gpu = config->device == EP_DEVICE_CUDA;
  const ep::Landing landing(shape, config->landing_rows);
  const ep::Allocations own(shape, shape.tokens);
  MemoryList list(memory);
  for (const ep::Section& section : ep::Sections(ep::Layout(shape))) {
    list.Add(section.name, EP_PLACE_REGION, section.bytes);
  }
  list.Add("landing of copies", EP_PLACE_REGION, landing.SizeBytes());
  list.Add("inputs, outputs, handle", EP_PLACE_HOST, own.HostBytes(config->received_selections));
  list.Add("routing of all ranks", EP_PLACE_HOST, ep::RoutingBytes(shape));
  list.Add("rows to copy", EP_PLACE_HOST, landing.Rows() * landing.RowBytes());
  if (on_gpu) {
    list.Add("inputs, outputs, handle", EP_PLACE_GPU, own.GpuBytes());
    list.Add("the plan", EP_PLACE_GPU,
             ep::TilePlanBytes(shape, shape.tokens, ep::kernels::kLong.tile_tokens).Sum());
    list.Add("rows to copy", EP_PLACE_GPU, ep::CudaCalibration::PrivateBytes(landing));
  }
  const uint32_t proxied = ep::ProxiedPeers(config->backend, shape.ranks, config->ranks_on_host);
  const uint64_t pair_bytes = ep::Layout(shape).PairBytes();
  if (!on_gpu) {
    list.Add("images of areas at peers", EP_PLACE_IMAGES, proxied * pair_bytes);
  } else if (proxied > 0) {
    const uint64_t all_pairs = shape.ranks * pair_bytes;
    if (config->nic_memory != EP_NIC_MEMORY_HOST) {
      list.Add("messages to peers", EP_PLACE_GPU, all_pairs);
    }
    if (config->nic_memory != EP_NIC_MEMORY_GPU) {
      list.Add("messages to peers", EP_PLACE_HOST, all_pairs);
      list.Add("messages from peers", EP_PLACE_HOST, all_pairs);
    }
  }
  // A calibration does not flush.
  if (on_gpu && landing.Rows() == 0) {
    list.Add("cache flush, while it lasts", EP_PLACE_GPU, ep::kGpuFlushBytes, true);
  }
  memory->output_rows = ep::Allocations::OutputRows(shape);
  memory->output_bytes = own.OutputBytes();
  return EP_OK;
}

ep_status ep_create(const ep_config* config, ep_engine** engine, ep_failure* failure) {
  *engine = nullptr;
  std::unique_ptr<ep_engine> made(new (std::nothrow) ep_engine);
  if (made == nullptr) return EP_SYSTEM;
  const ep_status status =
      Guarded(made.get(), [&] { return ep::abi::Create(*config, made.get()); });
  if (status == EP_OK) {
    *engine = made.release();
  } else {
    Store(made->last_failure, failure);
  }
  return status;
}

void ep_destroy(ep_engine* engine) { delete engine; }

ep_status ep_blob(ep_engine* engine, uint8_t* blob, size_t capacity, size_t* size) {
  return Guarded(engine, [&]() -> ep::Status {
    EP_TRY(engine->impl->Reopen());
    const std::vector<uint8_t> bytes = engine->impl->Blob();
    *size = bytes.size();
    if (bytes.size() > capacity) return {ep::Code::kInvalid, "blob: the buffer is too small"};
    std::memcpy(blob, bytes.data(), bytes.size());
    return {};
  });
}

ep_status ep_connect(ep_engine* engine, const uint8_t* blobs, const size_t* sizes, size_t count) {
  return Guarded(engine, [&] {
    std::vector<std::span<const uint8_t>> split;
    for (size_t i = 0; i < count; ++i) {
      split.emplace_back(blobs, sizes[i]);
      blobs += sizes[i];
    }
    return engine->impl->Connect(split);
  });
}

ep_status ep_disconnect(ep_engine* engine) {
  return Guarded(engine, [&] { return engine->impl->Disconnect(); });
}

ep_status ep_reach(ep_engine* engine, ep_reached* reached, ep_network* network) {
  return Guarded(engine, [&]() -> ep::Status {
    if (engine->impl->reached().empty()) {
      return {ep::Code::kState, "say how peers are reached: the rank is not connected"};
    }
    for (const ep::Reach& reach : engine->impl->reached()) {
      reached->path = static_cast<ep_path>(reach.how);
      CopyText(reach.why, reached->why, sizeof(reached->why));
      reached->probe_small_ns = reach.probe.small_ns;
      reached->probe_ns = reach.probe.ns;
      reached->probe_bytes = reach.probe.bytes;
      ++reached;
    }
    *network = {};
    const std::optional<ep::Network> found = engine->impl->network();
    if (!found) return {};
    network->exists = 1;
    CopyText(found->version, network->version, sizeof(network->version));
    CopyText(Lines(found->modules), network->modules, sizeof(network->modules));
    CopyText(Lines(found->transports), network->transports, sizeof(network->transports));
    CopyText(Lines(found->settings), network->environment, sizeof(network->environment));
    const ep::Sent sent = engine->impl->sent();
    network->messages = sent.messages;
    network->bytes = sent.bytes;
    network->slowest_ns = sent.slowest_ns;
    network->steps = sent.steps;
    CopyText(engine->impl->proxy_cpus(), network->proxy_cpus, sizeof(network->proxy_cpus));
    if (const auto& direct = found->gpu_direct) {
      network->has_gpu_direct = 1;
      network->supported = direct->supported;
      network->writes_ordering = static_cast<uint32_t>(direct->writes_ordering);
      network->flush_options = static_cast<uint32_t>(direct->flush_options);
      network->coherent_host = direct->coherent_host;
      network->flushes = found->flushes;
    }
    return {};
  });
}

ep_status ep_make_expert_rows(ep_engine* engine) {
  return Guarded(engine, [&] { return engine->impl->MakeExpertRows(); });
}

ep_status ep_run(ep_engine* engine, const ep_pass* pass, uint64_t* duration_ns,
                 uint32_t* first_epoch) {
  return Guarded(engine, [&] { return On(engine).Run(ToPass(*pass), duration_ns, first_epoch); });
}

ep_status ep_sms_of_blocks(ep_engine* engine, ep_mode mode, uint32_t* sms, size_t capacity,
                           size_t* count) {
  *count = 0;
  return Guarded(engine, [&]() -> ep::Status {
    std::vector<uint32_t> found;
    const ep::Status status = engine->impl->SmsOfBlocks(ToOperations(mode), &found);
    if (found.size() > capacity) {
      return {ep::Code::kInvalid, "multiprocessors of blocks: the buffer is too small"};
    }
    std::ranges::copy(found, sms);
    *count = found.size();
    return status;
  });
}

ep_status ep_poison(ep_engine* engine, const ep_pass* pass) {
  return Guarded(engine, [&] { return On(engine).Poison(ToPass(*pass)); });
}

ep_status ep_check(ep_engine* engine, const ep_pass* pass, ep_check_result* result) {
  return Guarded(engine, [&]() -> ep::Status {
    ep::Findings found;
    EP_TRY(On(engine).Check(ToPass(*pass), &found));
    *result = ToResult(found);
    return {};
  });
}

ep_status ep_count_traffic(ep_engine* engine, ep_traffic* traffic, uint64_t* rows_to_rank,
                           uint64_t* selections_of_expert) {
  return Guarded(engine, [&]() -> ep::Status {
    ep::TrafficCounts counts;
    EP_TRY(engine->impl->CountTraffic(&counts));
    *traffic = {counts.selections, counts.rank_rows, counts.remote_rows};
    std::ranges::copy(counts.rows_to_rank, rows_to_rank);
    std::ranges::copy(counts.selections_of_expert, selections_of_expert);
    return {};
  });
}

ep_status ep_tensor_bytes(ep_engine* engine, ep_tensor tensor, uint64_t* bytes) {
  return Guarded(engine, [&]() -> ep::Status {
    std::optional<ep::Contents> contents;
    EP_TRY(engine->impl->LastContents(&contents));
    *bytes = contents->Bytes(static_cast<ep::Tensor>(tensor));
    return {};
  });
}

ep_status ep_copy_tensor(ep_engine* engine, ep_tensor tensor, uint64_t offset, uint8_t* to,
                         uint64_t bytes) {
  return Guarded(engine, [&]() -> ep::Status {
    std::optional<ep::Contents> contents;
    EP_TRY(engine->impl->LastContents(&contents));
    return contents->Copy(static_cast<ep::Tensor>(tensor), offset, {to, bytes});
  });
}

ep_status ep_flush_caches(ep_engine* engine) {
  return Guarded(engine, [&] { return engine->impl->FlushCaches(); });
}

void ep_abort(ep_engine* engine) { engine->impl->Abort(); }

void ep_last_failure(const ep_engine* engine, ep_failure* failure) {
  Store(engine->last_failure, failure);
}
