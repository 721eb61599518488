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
#include "csrc/engine/calibrate.h"
#include "csrc/engine/chunks.h"
#include "csrc/engine/cuda_calibrate.h"
#include "csrc/engine/engine.h"
#include "csrc/engine/gpus.h"
#include "csrc/engine/landing.h"
#include "csrc/engine/messages.h"
#include "csrc/engine/sections.h"
#include "csrc/engine/tensors.h"
#include "csrc/region/factory.h"

struct ep_engine : ep::abi::Rank {
  std::string last_error;

  ep_status Return(const ep::Status& status) {
    if (!status.ok()) last_error = status.text();
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
static_assert(static_cast<int>(EP_WRONG_COMBINE_ROW) ==
              static_cast<int>(ep::WrongKind::kCombineRow));
static_assert(static_cast<int>(EP_COMBINED) == static_cast<int>(ep::Tensor::kCombined));
static_assert(static_cast<int>(EP_WRONG_COPIED_ROW) == static_cast<int>(ep::WrongKind::kCopiedRow));
static_assert(static_cast<int>(EP_LOCAL) == static_cast<int>(ep::Direction::kLocal));
static_assert(static_cast<int>(EP_PROXIED) == static_cast<int>(ep::Reached::kProxied));
static_assert(static_cast<size_t>(EP_SECTIONS) == ep::kSections);
static_assert(static_cast<int>(EP_WRONG_DISPATCH_DESCRIPTION) ==
              static_cast<int>(ep::WrongKind::kDispatchDescription));
static_assert(static_cast<int>(EP_WRONG_GUARD) == static_cast<int>(ep::WrongKind::kGuard));

ep::Operations ToOperations(ep_op op) {
  return {.dispatch = op != EP_COMBINE, .combine = op != EP_DISPATCH};
}

ep::Direction ToDirection(ep_direction direction) { return static_cast<ep::Direction>(direction); }

void CopyText(const std::string& text, char* to, size_t capacity) {
  if (capacity == 0) return;
  const size_t length = std::min(capacity - 1, text.size());
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
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

template <class Body>
ep_status WithCalibration(ep_engine* engine, Body body) {
  return Guarded(engine, [&]() -> ep::Status {
    if (engine->calibration == nullptr) {
      return {ep::Code::kState, "calibrate: the rank was made without landing rows"};
    }
    return body(*engine->calibration);
  });
}

ep_check_result ToResult(const ep::Findings& found) {
  return {
      .rows = found.rows,
      .wrong = found.wrong,
      .kind = static_cast<ep_wrong_kind>(found.kind),
      .source_rank = found.source_rank,
      .token = found.token,
      .expert = found.expert,
      .channel = found.channel,
      .got = found.got,
      .want = found.want,
  };
}

// The shape of a rank's engine: what C gives, cut into chunks as engines of this device cut it.
// Returns whether there is such an engine.
bool ToChunked(const ep_shape& given, ep_device device, uint32_t threads, ep::Shape* shape) {
  *shape = ToShape(given);
  if (ep::Problem(*shape) != nullptr) return false;
  switch (device) {
    case EP_CPU:
      if (threads < 1) return false;
      *shape = ep::ChunkedForThreads(*shape, threads);
      return true;
    case EP_CUDA: *shape = ep::ChunkedForGpu(*shape); return true;
  }
  return false;
}

uint64_t OutputBytes(const ep::Shape& shape) {
  return ep::Tensors::OutputRows(shape) * ep::Tensors::OutputRowBytes(shape);
}

}  // namespace

ep_status ep_count_gpus(uint32_t* count, char* error, size_t capacity) {
  const ep::Status status = ep::CountGpus(count);
  CopyText(status.text(), error, capacity);
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

ep_status ep_memory_needed(const ep_shape* shape, ep_backend backend, uint32_t threads,
                           uint64_t received_selections, ep_memory* memory) {
  ep::Shape checked;
  if (!ToChunked(*shape, EP_CPU, threads, &checked)) return EP_INVALID;
  const bool proxied = ep::ProxiesHosts(static_cast<ep::Backend>(backend));
  const uint64_t images = proxied ? ep::ImageBytes(checked) : 0;
  *memory = {ep::Layout(checked).SizeBytes(),
             ep::PrivateBytes(checked, received_selections) + images,
             ep::kFlushBytes,
             images,
             ep::Tensors::OutputRows(checked),
             OutputBytes(checked)};
  return EP_OK;
}

ep_status ep_gpu_memory_needed(const ep_shape* shape, ep_memory* memory) {
  ep::Shape checked;
  if (!ToChunked(*shape, EP_CUDA, 0, &checked)) return EP_INVALID;
  *memory = {ep::Layout(checked).SizeBytes(),  ep::GpuPrivateBytes(checked), ep::kFlushBytes, 0,
             ep::Tensors::OutputRows(checked), OutputBytes(checked)};
  return EP_OK;
}

ep_status ep_landing_memory(const ep_shape* shape, uint32_t landing_rows, ep_memory* memory) {
  const ep::Shape checked = ToShape(*shape);
  if (ep::Problem(checked) != nullptr) return EP_INVALID;
  const ep::Landing landing(checked, landing_rows);
  *memory = {landing.SizeBytes(), landing_rows * landing.RowBytes(), 0, 0, 0, 0};
  return EP_OK;
}

ep_status ep_gpu_landing_memory(const ep_shape* shape, uint32_t landing_rows, ep_memory* memory) {
  const ep::Shape checked = ToShape(*shape);
  if (ep::Problem(checked) != nullptr) return EP_INVALID;
  const ep::Landing landing(checked, landing_rows);
  *memory = {landing.SizeBytes(), ep::CudaCalibration::PrivateBytes(landing), 0, 0, 0, 0};
  return EP_OK;
}

ep_status ep_region_sections(const ep_shape* shape, ep_device device, uint32_t threads,
                             ep_section sections[EP_SECTIONS]) {
  ep::Shape checked;
  if (!ToChunked(*shape, device, threads, &checked)) return EP_INVALID;
  for (const ep::Section& section : ep::Sections(ep::Layout(checked))) {
    *sections++ = {section.name, section.bytes};
  }
  return EP_OK;
}

ep_status ep_create(const ep_config* config, ep_engine** engine, char* error, size_t capacity) {
  *engine = nullptr;
  std::unique_ptr<ep_engine> made(new (std::nothrow) ep_engine);
  if (made == nullptr) return EP_SYSTEM;
  const ep_status status =
      Guarded(made.get(), [&] { return ep::abi::Create(*config, made.get()); });
  if (status == EP_OK) {
    *engine = made.release();
  } else {
    CopyText(made->last_error, error, capacity);
  }
  return status;
}

void ep_destroy(ep_engine* engine) { delete engine; }

ep_status ep_blob(ep_engine* engine, uint8_t* blob, size_t capacity, size_t* size) {
  return Guarded(engine, [&]() -> ep::Status {
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

ep_status ep_reach(ep_engine* engine, ep_reached* reached, ep_network* network) {
  return Guarded(engine, [&]() -> ep::Status {
    if (engine->impl->reached().empty()) {
      return {ep::Code::kState, "say how peers are reached: the rank is not connected"};
    }
    for (const ep::Reach& reach : engine->impl->reached()) {
      *reached++ = static_cast<ep_reached>(reach.how);
    }
    *network = {};
    const std::optional<ep::Network> found = engine->impl->network();
    if (!found) return {};
    network->exists = 1;
    CopyText(found->version, network->version, sizeof(network->version));
    CopyText(Lines(found->modules), network->modules, sizeof(network->modules));
    CopyText(Lines(found->transports), network->transports, sizeof(network->transports));
    CopyText(Lines(found->settings), network->environment, sizeof(network->environment));
    return {};
  });
}

ep_status ep_make_expert_rows(ep_engine* engine) {
  return Guarded(engine, [&] { return engine->impl->MakeExpertRows(); });
}

ep_status ep_run(ep_engine* engine, ep_op op, uint64_t iterations, uint64_t* duration_ns) {
  return Guarded(engine, [&] {
    return op == EP_FLAGS ? engine->impl->RunFlags(iterations, duration_ns)
                          : engine->impl->Run(ToOperations(op), iterations, duration_ns);
  });
}

ep_status ep_run_fresh(ep_engine* engine, ep_op op, uint64_t iterations, uint64_t* duration_ns) {
  return Guarded(engine,
                 [&] { return engine->impl->RunFresh(ToOperations(op), iterations, duration_ns); });
}

ep_status ep_run_chained(ep_engine* engine, ep_op op, uint64_t dropped, uint64_t iterations,
                         uint64_t* duration_ns) {
  return Guarded(engine, [&] {
    return engine->impl->RunChained(ToOperations(op), dropped, iterations, duration_ns);
  });
}

ep_status ep_run_graph(ep_engine* engine, ep_op op, uint64_t operations, uint64_t replays,
                       uint64_t* duration_ns) {
  return Guarded(engine, [&] {
    return engine->impl->RunGraph(ToOperations(op), operations, replays, duration_ns);
  });
}

ep_status ep_run_kernels(ep_engine* engine, ep_op op, uint64_t iterations, uint64_t* duration_ns) {
  return Guarded(
      engine, [&] { return engine->impl->RunKernels(ToOperations(op), iterations, duration_ns); });
}

ep_status ep_sms_of_blocks(ep_engine* engine, ep_op op, uint32_t* sms, size_t capacity,
                           size_t* count) {
  *count = 0;
  return Guarded(engine, [&]() -> ep::Status {
    std::vector<uint32_t> found;
    const ep::Status status = engine->impl->SmsOfBlocks(ToOperations(op), &found);
    if (found.size() > capacity) {
      return {ep::Code::kInvalid, "multiprocessors of blocks: the buffer is too small"};
    }
    std::ranges::copy(found, sms);
    *count = found.size();
    return status;
  });
}

ep_status ep_next_epoch(ep_engine* engine, ep_op op, uint32_t* epoch) {
  return Guarded(engine, [&] {
    ep::EpochState epochs = {};
    const ep::Status status = engine->impl->Epochs(&epochs);
    *epoch = ep::Next(op == EP_COMBINE ? epochs.combine : epochs.dispatch);
    return status;
  });
}

ep_status ep_poison(ep_engine* engine) {
  return Guarded(engine, [&] { return engine->impl->Poison(); });
}

ep_status ep_check(ep_engine* engine, ep_op op, ep_check_result* result) {
  return Guarded(engine, [&] {
    ep::Findings found;
    const ep::Status status = engine->impl->Check(ToOperations(op), &found);
    *result = ToResult(found);
    return status;
  });
}

ep_status ep_count_traffic(ep_engine* engine, ep_traffic* traffic, uint64_t* rows_to_rank,
                           uint64_t* selections_of_expert) {
  return Guarded(engine, [&] {
    ep::TrafficCounts counts;
    const ep::Status status = engine->impl->CountTraffic(&counts);
    *traffic = {counts.selections, counts.rank_rows, counts.remote_rows};
    std::ranges::copy(counts.rows_to_rank, rows_to_rank);
    std::ranges::copy(counts.selections_of_expert, selections_of_expert);
    return status;
  });
}

ep_status ep_tensor_bytes(ep_engine* engine, ep_tensor tensor, uint64_t* bytes) {
  return Guarded(engine, [&] {
    std::optional<ep::Contents> contents;
    const ep::Status status = engine->impl->LastContents(&contents);
    if (status.ok()) *bytes = contents->Bytes(static_cast<ep::Tensor>(tensor));
    return status;
  });
}

ep_status ep_copy_tensor(ep_engine* engine, ep_tensor tensor, uint64_t offset, uint8_t* to,
                         uint64_t bytes) {
  return Guarded(engine, [&] {
    std::optional<ep::Contents> contents;
    const ep::Status status = engine->impl->LastContents(&contents);
    return status.ok() ? contents->Copy(static_cast<ep::Tensor>(tensor), offset, {to, bytes})
                       : status;
  });
}

ep_status ep_flush_caches(ep_engine* engine) {
  return Guarded(engine, [&] { return engine->impl->FlushCaches(); });
}

ep_status ep_copy_rows(ep_engine* engine, ep_direction direction, uint32_t distinct,
                       uint64_t iterations, uint64_t* duration_ns) {
  return WithCalibration(engine, [&](ep::Calibration& calibration) {
    return calibration.Copy(ToDirection(direction), distinct, iterations, duration_ns);
  });
}

ep_status ep_poison_landing(ep_engine* engine) {
  return WithCalibration(engine, [](ep::Calibration& calibration) { return calibration.Poison(); });
}

ep_status ep_check_landing(ep_engine* engine, ep_direction direction, uint32_t distinct,
                           ep_check_result* result) {
  return WithCalibration(engine, [&](ep::Calibration& calibration) {
    ep::Findings found;
    const ep::Status status = calibration.Check(ToDirection(direction), distinct, &found);
    *result = ToResult(found);
    return status;
  });
}

ep_status ep_round_trips(ep_engine* engine, uint64_t count, uint64_t* duration_ns) {
  return WithCalibration(engine, [&](ep::Calibration& calibration) {
    return calibration.RoundTrips(count, duration_ns);
  });
}

void ep_abort(ep_engine* engine) { engine->impl->Abort(); }

const char* ep_last_error(const ep_engine* engine) { return engine->last_error.c_str(); }
