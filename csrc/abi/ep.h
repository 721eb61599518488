// The C interface of the engine: all that Go sees of the C++ and CUDA core.
//
// One engine is one rank. Calls block and are made from one thread at a time, but for ep_abort.
// Every rank of a run makes the same operations in the same order. Buffers given to a call stay
// the caller's and are not kept after it returns. Nothing here throws, traps or waits without
// a deadline.
#ifndef CSRC_ABI_EP_H_
#define CSRC_ABI_EP_H_

#include <stddef.h>
#include <stdint.h>

#include "csrc/base/hints.h"
#include "csrc/protocol/words.h"
#include "csrc/rank/choices.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ep_status {
  EP_OK = 0,
  EP_INVALID = 1,   // an argument or a shape; nothing was done
  EP_SYSTEM = 2,    // memory, a file descriptor, a mapping
  EP_TIMEOUT = 3,   // a peer fell silent
  EP_PROTOCOL = 4,  // a peer wrote what it must not
  EP_ABORTED = 5,   // ep_abort was called
  EP_STATE = 6,     // called in the wrong order, or after a failed operation
} ep_status;

// What a call that failed says, and what to try.
typedef struct ep_failure {
  char text[512];  // always terminated
  ep_hint hint;
} ep_failure;

// The shape of a run, equal on all ranks.
typedef struct ep_shape {
  uint32_t ranks;
  uint32_t tokens;  // at most, on any rank
  uint32_t hidden;
  uint32_t experts_per_rank;
  uint32_t topk;
  ep_dtype dtype;
  ep_layout layout;
  ep_combine_sum combine;
  ep_quantize quantize;
} ep_shape;

// Sets of input rows, weights and expert outputs. The n-th operation of a kind uses set n % 3,
// so a row left over from one or two epochs ago is wrong.
enum { EP_SETS = 3 };

typedef struct ep_config {
  ep_shape shape;
  ep_choices choices;
  ep_device device;
  ep_nvlink_backend backend;
  ep_nic_memory nic_memory;  // CUDA: where peers are not mapped
  ep_gpu_flush gpu_flush;    // CUDA: the same
  // Not of backend ipc. A folder with the layout of NIXL's wheel: one that the user named, else
  // one that may have it, else (both null) the system's library.
  const char* nixl_root;
  const char* nixl_candidate;
  const char* run_id;  // names this run's ranks to NIXL
  const char* host;    // CPU: ranks that say the same can map each other's memory; null: none can
  uint32_t rank;
  uint32_t cpus;           // that this host's ranks share; CPU: fewer than workers, and waits yield
  uint32_t ranks_on_host;  // this one included: while nothing is timed each has its share of cpus
  uint64_t flush_bytes;    // CPU: that ep_flush_caches writes
  uint32_t threads;        // CPU: workers of this rank, 1 or more
  uint32_t gpu;            // CUDA: this rank's, as ep_describe_gpu counts
  uint32_t ranks_on_gpu;   // CUDA: that share it, 1 or more
  uint64_t seed;           // of rows and expert outputs
  uint64_t wait_timeout_ns;
  const uint32_t* tokens_of_rank;  // [ranks]
  const int32_t* topk_idx;         // [ranks, tokens, topk]; -1 selects nothing
  const float* topk_weights;       // [EP_SETS, tokens, topk], this rank's
  const float* all_weights;        // [ranks, EP_SETS, tokens, topk] in layouts rank and flat
  uint32_t landing_rows;           // that COPY copies; 0: this rank is not going to calibrate
} ep_config;

typedef struct ep_engine ep_engine;

// One GPU of this host.
typedef struct ep_gpu {
  char name[256];
  char uuid[48];  // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
  char pci[16];   // dddd:bb:dd.f
  uint64_t memory_bytes;
  uint32_t multiprocessors;
  uint32_t major, minor;    // compute capability
  uint32_t driver_version;  // of CUDA that the driver knows, as 13000
} ep_gpu;

// Bit n: signal n was ignored when this program was loaded, as nohup does with SIGHUP.
uint64_t ep_ignored_signals(void);

// Counts this host's GPUs. EP_SYSTEM: none can be used, and *count is 0.
ep_status ep_count_gpus(uint32_t* count, ep_failure* failure);

// EP_INVALID: there is no such GPU.
ep_status ep_describe_gpu(uint32_t gpu, ep_gpu* described);

// Where memory of a rank lies.
typedef enum ep_place {
  EP_PLACE_REGION = 1,  // on its device, and peers write there
  EP_PLACE_HOST = 2,
  EP_PLACE_GPU = 3,
  EP_PLACE_IMAGES = 4,  // of a host, for what is exchanged with peers that are not mapped
} ep_place;

// A piece of a rank's memory. The name is a constant.
typedef struct ep_allocation {
  const char* name;
  ep_place place;
  uint32_t transient;  // there for as long as ep_flush_caches runs
  uint64_t bytes;      // of a host, those that are touched
} ep_allocation;

// What ep_memory is asked about.
typedef struct ep_memory_config {
  ep_shape shape;
  ep_device device;
  ep_nvlink_backend backend;     // without mapped memory there are images of areas at peers
  ep_nic_memory nic_memory;      // CUDA: where these are; AUTO counts both places
  uint32_t ranks_on_host;        // this one included, which may be mapped
  ep_choices choices;            // as in ep_config
  uint32_t threads;              // CPU: workers
  uint32_t landing_rows;         // as in ep_config
  uint64_t received_selections;  // that the rank's experts get
} ep_memory_config;

enum { EP_ALLOCATIONS = 64 };
typedef struct ep_memory {
  ep_allocation parts[EP_ALLOCATIONS];
  size_t count;
  // Rows of outputs that any routing could fill, and what they take with the experts' outputs of
  // all sets. A host's parts have only those that are received, a GPU's all.
  uint64_t output_rows;
  uint64_t output_bytes;
} ep_memory;

// All that a rank is going to allocate, in parts: its region's in their order, then its own. On a
// GPU's host it also has a copy of the tensors, which is what is checked. What flushes a CPU's
// caches is not among it.
ep_status ep_memory_needed(const ep_memory_config* config, ep_memory* memory);

// Makes the engine and its memory. On failure *engine is null.
ep_status ep_create(const ep_config* config, ep_engine** engine, ep_failure* failure);

// Unmaps and frees everything. Null is allowed.
void ep_destroy(ep_engine* engine);

// What peers need to reach this rank's memory; `size` receives the number of bytes.
// EP_INVALID: capacity is too small.
ep_status ep_blob(ep_engine* engine, uint8_t* blob, size_t capacity, size_t* size);

// Makes all peers reachable. `blobs` holds one blob a rank, in rank order, one after another;
// `sizes` their lengths. Compares the peers' layouts with ours.
ep_status ep_connect(ep_engine* engine, const uint8_t* blobs, const size_t* sizes, size_t count);

// Lets go of all peers and keeps this rank's memory; ep_blob and ep_connect may follow. Nothing may
// run on any rank. EP_INVALID: not over this rank's network; nothing happened.
ep_status ep_disconnect(ep_engine* engine);

// What the rank's network library is, as it says itself; each list has an item a line.
typedef struct ep_network {
  uint32_t exists;  // 0: the rank has none, and all below is empty
  char version[64];
  char modules[1024];      // as they are loaded
  char transports[1024];   // that it chose; empty where it does not say
  char environment[1024];  // what we set for it, as name=value; we set none that is set
  // What the rank has sent by now, and how often its proxy looked for what there is to do.
  uint64_t messages;
  uint64_t bytes;
  uint64_t slowest_ns;  // of a message, from its post until a later step found it over
  uint64_t steps;
  char proxy_cpus[256];  // that its proxy's thread may run on, as 0-47,96-143; empty without one
  // CUDA: attributes of the GPU, and whether it is told to show what NICs have written.
  uint32_t has_gpu_direct;  // 0: all below is 0
  uint32_t supported;
  uint32_t writes_ordering;
  uint32_t flush_options;
  uint32_t coherent_host;
  uint32_t flushes;
} ep_network;

// How the rank reaches another, and why so; a text that may be empty.
typedef struct ep_reached {
  ep_path path;
  char why[64];
  // What the fastest of three messages took that the rank sent there while it connected, of 64
  // bytes and of so many; 0 where it sent none.
  uint64_t probe_small_ns;
  uint64_t probe_ns;
  uint64_t probe_bytes;
} ep_reached;

// How the rank reaches each rank, [ranks], and over which network. EP_STATE: it is not connected.
ep_status ep_reach(ep_engine* engine, ep_reached* reached, ep_network* network);

// One way to time something; 0 what does not apply.
typedef struct ep_pass {
  ep_pass_kind kind;
  ep_mode operation;            // what one iteration is; of the first five kinds, BESIDE, METER
  uint64_t count;               // durations
  uint64_t dropped;             // CHAINED
  uint64_t captured;            // CHAINED, GRAPH, METER
  uint32_t distinct_rows;       // COPY
  ep_pass_direction direction;  // COPY
  ep_pass_meter meter;          // METER, BESIDE
} ep_pass;

// Runs a pass and stores its durations where `duration_ns` is not null; `first_epoch` receives the
// epoch of its first operation, of EP_MODE_E2E that of its dispatch, 0 where there is none. A
// duration is
//   OPERATIONS   of an iteration, back to back: from right before its first instruction until this
//                rank may read its output. A combine needs ep_make_expert_rows before;
//   FRESH        as that, but before each iteration all ranks meet in an untimed flags-only epoch;
//   CHAINED      of `captured` iterations together, `dropped` of them run before without a pause;
//   GRAPH        of one replay of a CUDA graph of `captured` iterations, as a whole;
//   KERNELS      of an iteration's kernels alone: from the first thread block's coming to the last
//                one's going, by the GPU's own clock; of EP_MODE_E2E, both kernels' together;
//   COPY         of copying as many rows as the landing has, each of 2 * hidden bytes: the first
//                `distinct_rows` of them, in turn. GET needs a PUT of as many before;
//   FLAGS        of a dispatch without rows, nothing but flags;
//   ROUND_TRIPS  from one answer to the next, while ranks 0 and 1 flag each other; nobody else runs
//                it;
//   METER        of what a block of the meter does at a time (csrc/protocol/words.h), mean over a
//                window in which `captured` iterations run beside it, or where there is no
//                operation none, and over its blocks: one on each multiprocessor that operations
//                leave;
//   BESIDE       as of OPERATIONS, while the meter runs.
// EP_STATE: this device, or this rank, cannot. EP_TIMEOUT and the like: durations are unspecified,
// the engine may only be destroyed.
ep_status ep_run(ep_engine* engine, const ep_pass* pass, uint64_t* duration_ns,
                 uint32_t* first_epoch);

// Multiprocessors (%smid) that the thread blocks of the last `mode`, EP_MODE_DISPATCH or
// EP_MODE_COMBINE, or where it is 0 of the last meter ran on, in the blocks' order; `count`
// receives the number of blocks: 0 on CPUs, and where none ran. Two blocks of an operation that
// shared one are EP_SYSTEM; they are stored all the same. EP_INVALID: capacity is too small;
// `count` is 0.
ep_status ep_sms_of_blocks(ep_engine* engine, ep_mode mode, uint32_t* sms, size_t capacity,
                           size_t* count);

// Makes the experts' outputs, once, at the rows where the last dispatch put their inputs.
ep_status ep_make_expert_rows(ep_engine* engine);

// Overwrites with a pattern all that a pass must write, and the guard rows that it must not:
// outputs, or for COPY this rank's landing and where GET and LOCAL lead.
ep_status ep_poison(ep_engine* engine, const ep_pass* pass);

typedef struct ep_check_result {
  uint64_t rows;           // compared
  uint64_t wrong;          // of them, plus wrong counts and guard rows
  ep_wrong_row_kind kind;  // of the first wrong one
  uint32_t source_rank;
  uint32_t token;
  int32_t expert;  // global id; -1: a combined row, or a row that is kept once
  uint32_t channel;
  uint64_t got;  // raw bits
  uint64_t want;
} ep_check_result;

// Compares what a pass left behind: what the last operation of each kind did with what the oracle
// computes from routing and seed alone, or the rows that copies brought to this rank, of PUT the
// previous one's, with what had to be copied.
ep_status ep_check(ep_engine* engine, const ep_pass* pass, ep_check_result* result);

// Rows that one iteration moves; arrays have [ranks] and [experts_per_rank] entries.
typedef struct ep_traffic {
  uint64_t selections;
  uint64_t rank_rows;
  uint64_t remote_rows;
} ep_traffic;
ep_status ep_count_traffic(ep_engine* engine, ep_traffic* traffic, uint64_t* rows_to_rank,
                           uint64_t* selections_of_expert);

// What the last EP_MODE_E2E left behind, as tensors without gaps: the rows of an expert follow
// those of the one before, in layouts rank and flat those of a source. N is the number of rows
// received.
typedef enum ep_tensor {
  EP_X = 1,             // BF16 [tokens, hidden], before they are quantised wherever that is
  EP_TOPK_IDX = 2,      // int32 [tokens, topk]
  EP_TOPK_WEIGHTS = 3,  // float [tokens, topk]
  EP_RECV_COUNT = 4,    // int32 [experts_per_rank]; their sum is N
  EP_RECV_X = 5,        // E4M3 or BF16 [N, hidden]
  EP_RECV_SCALES = 6,   // float [N, ceil(hidden / 128)]; no bytes where rows are BF16
  EP_RECV_SRC = 7,      // int32 [N, 2]: source rank, token
  EP_EXPERT_OUT = 8,    // BF16 [N, hidden], as combined
  EP_COMBINED = 9,      // BF16 [tokens, hidden]
} ep_tensor;

// Size of a tensor. EP_STATE: no dispatch or no combine ran yet.
ep_status ep_tensor_bytes(ep_engine* engine, ep_tensor tensor, uint64_t* bytes);

// Copies `bytes` bytes of a tensor from byte `offset` on. EP_INVALID: it has not so many; nothing
// was copied.
ep_status ep_copy_tensor(ep_engine* engine, ep_tensor tensor, uint64_t offset, uint8_t* to,
                         uint64_t bytes);

// Writes zeros through the caches: on CPUs as many as ep_config says, on GPUs 256 MB.
ep_status ep_flush_caches(ep_engine* engine);

// Ends every wait of this engine, now and later, with EP_ABORTED. May be called from any thread
// while another call runs.
void ep_abort(ep_engine* engine);

// What the last failed call of this engine says, "" if none failed.
void ep_last_failure(const ep_engine* engine, ep_failure* failure);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // CSRC_ABI_EP_H_
