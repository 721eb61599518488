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

// What ranks compute on.
typedef enum ep_device { EP_CPU = 1, EP_CUDA = 2 } ep_device;

// How a rank reaches its peers.
typedef enum ep_backend {
  EP_IPC = 1,   // maps their memory; all ranks are on one host
  EP_NIXL = 2,  // of CPUs, NIXL moves what they exchange; of GPUs, it maps their memory
  EP_NONE = 3,  // as EP_NIXL, but never over mapped memory; of CPUs, over TCP alone
} ep_backend;

typedef enum ep_dtype { EP_FP8 = 1, EP_BF16 = 2 } ep_dtype;

// Where the rows that a rank receives lie.
typedef enum ep_layout {
  EP_LAYOUT_EXPERT = 1,  // one a selection, experts at multiples of a fixed stride
  EP_LAYOUT_RANK = 2,    // each once, sources at multiples of `tokens`
  EP_LAYOUT_FLAT = 3,    // each once, sources one behind the other
  EP_LAYOUT_CONTIG = 4,  // one a selection, experts one behind the other from multiples of 128 on
} ep_layout;

// Where a token's selections are summed.
typedef enum ep_sum {
  EP_SUM_RANK = 1,    // on their experts' rank, then at home
  EP_SUM_EXPERT = 2,  // at home alone; not in layouts rank and flat
} ep_sum;

// Where a row becomes FP8.
typedef enum ep_quantize {
  EP_QUANTIZE_INSIDE = 1,   // in the dispatch, which reads BF16
  EP_QUANTIZE_OUTSIDE = 2,  // before it: the dispatch reads codes and scales; of EP_FP8 only
} ep_quantize;

typedef enum ep_op {
  EP_DISPATCH = 1,
  EP_COMBINE = 2,  // on the handle of the last dispatch
  EP_E2E = 3,      // a dispatch, then a combine on its handle
  EP_FLAGS = 4,    // a dispatch without rows, nothing but flags; for ep_run alone
} ep_op;

// The shape of a run, equal on all ranks.
typedef struct ep_shape {
  uint32_t ranks;
  uint32_t tokens;  // at most, on any rank
  uint32_t hidden;
  uint32_t experts_per_rank;
  uint32_t topk;
  ep_dtype dtype;
  ep_layout layout;
  ep_sum sum;
  ep_quantize quantize;
} ep_shape;

// Sets of input rows, weights and expert outputs. The n-th operation of a kind uses set n % 3,
// so a row left over from one or two epochs ago is wrong.
enum { EP_SETS = 3 };

typedef struct ep_config {
  ep_shape shape;
  ep_device device;
  ep_backend backend;
  // Not of EP_IPC. A folder with the layout of NIXL's wheel: one that the user named, else
  // one that may have it, else (both null) the system's library.
  const char* nixl_root;
  const char* nixl_candidate;
  const char* run_id;  // names this run's ranks to NIXL
  uint32_t rank;
  uint32_t cpus;           // that this host's ranks share; CPU: fewer than workers, and waits yield
  uint32_t ranks_on_host;  // this one included: while nothing is timed each has its share of cpus
  uint32_t threads;        // CPU: workers of this rank, 1 or more
  uint32_t gpu;            // CUDA: this rank's, as ep_describe_gpu counts
  uint32_t ranks_on_gpu;   // CUDA: that share it, 1 or more
  uint32_t sms;            // CUDA: multiprocessors that operations may use; 0: all
  uint64_t seed;           // of rows and expert outputs
  uint64_t wait_timeout_ns;
  const uint32_t* tokens_of_rank;  // [ranks]
  const int32_t* topk_idx;         // [ranks, tokens, topk]; -1 selects nothing
  const float* topk_weights;       // [EP_SETS, tokens, topk], this rank's
  const float* all_weights;        // [ranks, EP_SETS, tokens, topk] in layouts rank and flat
  uint32_t landing_rows;           // for ep_copy_rows; 0: this rank is not going to calibrate
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

// Counts this host's GPUs. EP_SYSTEM: none can be used; the reason is in `error` (capacity bytes,
// always terminated) and *count is 0.
ep_status ep_count_gpus(uint32_t* count, char* error, size_t capacity);

// EP_INVALID: there is no such GPU.
ep_status ep_describe_gpu(uint32_t gpu, ep_gpu* described);

// Bytes that one rank needs: what peers reach of it, and what is its own, the cache flush included,
// where it has `threads` workers and receives `received_selections` rows.
typedef struct ep_memory {
  uint64_t region_bytes;
  uint64_t private_bytes;
  uint64_t flush_bytes;  // of private_bytes, for as long as ep_flush_caches runs
  uint64_t image_bytes;  // of private_bytes, what is exchanged with peers that are not mapped
  // Rows of outputs that any routing could fill, and what they take with the experts' outputs of
  // all sets. On a host, only rows that are received are of private_bytes; on a GPU, all are.
  uint64_t output_rows;
  uint64_t output_bytes;
} ep_memory;
ep_status ep_memory_needed(const ep_shape* shape, ep_backend backend, uint32_t threads,
                           uint64_t received_selections, ep_memory* memory);

// Bytes of a GPU's memory that one rank on it needs, in the same parts. Tensors have their full
// size there.
ep_status ep_gpu_memory_needed(const ep_shape* shape, ep_memory* memory);

// What `landing_rows` add to ep_memory_needed, and to ep_gpu_memory_needed.
ep_status ep_landing_memory(const ep_shape* shape, uint32_t landing_rows, ep_memory* memory);
ep_status ep_gpu_landing_memory(const ep_shape* shape, uint32_t landing_rows, ep_memory* memory);

// One part of a region. The name is a constant.
typedef struct ep_section {
  const char* name;
  uint64_t bytes;
} ep_section;
enum { EP_SECTIONS = 8 };
// The parts of a rank's region on this device, in their order; together they are region_bytes.
// `threads` is used on CPUs only.
ep_status ep_region_sections(const ep_shape* shape, ep_device device, uint32_t threads,
                             ep_section sections[EP_SECTIONS]);

// Makes the engine and its memory. On failure *engine is null and the reason is in `error`
// (capacity bytes, always terminated).
ep_status ep_create(const ep_config* config, ep_engine** engine, char* error, size_t capacity);

// Unmaps and frees everything. Null is allowed.
void ep_destroy(ep_engine* engine);

// What peers need to reach this rank's memory; `size` receives the number of bytes.
// EP_INVALID: capacity is too small.
ep_status ep_blob(ep_engine* engine, uint8_t* blob, size_t capacity, size_t* size);

// Makes all peers reachable. `blobs` holds one blob a rank, in rank order, one after another; `sizes` their
// lengths. Compares the peers' layouts with ours.
ep_status ep_connect(ep_engine* engine, const uint8_t* blobs, const size_t* sizes, size_t count);

// How a rank reaches another.
typedef enum ep_reached {
  EP_OWN = 1,      // it is the rank itself
  EP_MAPPED = 2,   // by loads and stores
  EP_PROXIED = 3,  // by messages over the network
} ep_reached;

// What the rank's network library is, as it says itself; each list has an item a line.
typedef struct ep_network {
  uint32_t exists;  // 0: the rank has none, and all below is empty
  char version[64];
  char modules[1024];      // as they are loaded
  char transports[1024];   // that it chose; empty where it does not say
  char environment[1024];  // what we set for it, as name=value; we set none that is set
} ep_network;

// How the rank reaches each rank, [ranks], and over which network. EP_STATE: it is not connected.
ep_status ep_reach(ep_engine* engine, ep_reached* reached, ep_network* network);

// Runs `iterations` of `op` back to back. duration_ns[i], where not null, is how long the i-th
// took: from right before its first instruction until this rank may read its output. A combine
// needs ep_make_expert_rows before.
// EP_TIMEOUT and the like: durations are unspecified, the engine may only be destroyed.
ep_status ep_run(ep_engine* engine, ep_op op, uint64_t iterations, uint64_t* duration_ns);

// As ep_run, but before each iteration all ranks meet in an untimed flags-only epoch.
ep_status ep_run_fresh(ep_engine* engine, ep_op op, uint64_t iterations, uint64_t* duration_ns);

// Runs `dropped` iterations and, without a pause, `iterations` more; *duration_ns is how long the
// latter took together.
ep_status ep_run_chained(ep_engine* engine, ep_op op, uint64_t dropped, uint64_t iterations,
                         uint64_t* duration_ns);

// Captures `operations` of `op` into a CUDA graph and replays it; duration_ns[i] is how long the
// i-th of `replays` took as a whole. EP_STATE: the engine's device has no graphs.
ep_status ep_run_graph(ep_engine* engine, ep_op op, uint64_t operations, uint64_t replays,
                       uint64_t* duration_ns);

// As ep_run, but duration_ns[i] is that of the kernels alone: from the first thread block's coming
// to the last one's going, by the GPU's own clock; of EP_E2E, both kernels' together. EP_STATE: the
// engine's device has no kernels.
ep_status ep_run_kernels(ep_engine* engine, ep_op op, uint64_t iterations, uint64_t* duration_ns);

// Multiprocessors (%smid) that the thread blocks of the last `op`, EP_DISPATCH or EP_COMBINE, ran
// on, in the blocks' order; `count` receives the number of blocks: 0 on CPUs, and where none ran.
// Two blocks that shared one are EP_SYSTEM; they are stored all the same. EP_INVALID: capacity is
// too small; `count` is 0.
ep_status ep_sms_of_blocks(ep_engine* engine, ep_op op, uint32_t* sms, size_t capacity,
                           size_t* count);

// Makes the experts' outputs, once, at the rows where the last dispatch put their inputs.
ep_status ep_make_expert_rows(ep_engine* engine);

// Epoch that the next iteration of `op` begins with; of EP_E2E that of its dispatch.
ep_status ep_next_epoch(ep_engine* engine, ep_op op, uint32_t* epoch);

// Overwrites with a pattern every output row that the next operations must write, and the
// guard rows that they must not.
ep_status ep_poison(ep_engine* engine);

typedef enum ep_wrong_kind {
  EP_RIGHT = 0,
  EP_WRONG_DISPATCH_ROW = 1,
  EP_WRONG_DISPATCH_SCALE = 2,
  EP_WRONG_DISPATCH_SOURCE = 3,
  EP_WRONG_DISPATCH_COUNT = 4,
  EP_WRONG_GUARD = 5,
  EP_WRONG_COMBINE_ROW = 6,
  EP_WRONG_COPIED_ROW = 7,  // token is the row's number
  EP_WRONG_DISPATCH_BEGIN = 8,
  EP_WRONG_PADDING = 9,
  EP_WRONG_DISPATCH_DESCRIPTION = 10,
} ep_wrong_kind;

typedef struct ep_check_result {
  uint64_t rows;       // compared
  uint64_t wrong;      // of them, plus wrong counts and guard rows
  ep_wrong_kind kind;  // of the first wrong one
  uint32_t source_rank;
  uint32_t token;
  int32_t expert;  // global id; -1: a combined row, or a row that is kept once
  uint32_t channel;
  uint64_t got;  // raw bits
  uint64_t want;
} ep_check_result;

// Compares what the last operation of each kind in `op` left behind with what the oracle computes
// from routing and seed alone.
ep_status ep_check(ep_engine* engine, ep_op op, ep_check_result* result);

// Rows that one iteration moves; arrays have [ranks] and [experts_per_rank] entries.
typedef struct ep_traffic {
  uint64_t selections;
  uint64_t rank_rows;
  uint64_t remote_rows;
} ep_traffic;
ep_status ep_count_traffic(ep_engine* engine, ep_traffic* traffic, uint64_t* rows_to_rank,
                           uint64_t* selections_of_expert);

// What the last EP_E2E left behind, as tensors without gaps: the rows of an expert follow those of
// the one before, in layouts rank and flat those of a source. N is the number of rows received.
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

// Writes 256 MB of zeros through the caches.
ep_status ep_flush_caches(ep_engine* engine);

// What follows measures the machine itself, on engines with landing rows; EP_STATE on others.

// From where to where a rank copies.
typedef enum ep_direction {
  EP_PUT = 1,    // from its own memory to the next rank's landing
  EP_GET = 2,    // CUDA: from there, where the same rows were put before, back to its own memory
  EP_LOCAL = 3,  // CUDA: within its own memory, to where EP_GET leads, too
} ep_direction;

// Copies as many rows as the landing has, each of 2 * hidden bytes: the first `distinct` of them,
// in turn. duration_ns[i] is how long the i-th of `iterations` took; on GPUs by events around a
// kernel. EP_STATE: the engine's device has no copies in this direction.
ep_status ep_copy_rows(ep_engine* engine, ep_direction direction, uint32_t distinct,
                       uint64_t iterations, uint64_t* duration_ns);

// Overwrites this rank's landing, and where EP_GET and EP_LOCAL lead, with a pattern, so that a row
// nobody copies is seen.
ep_status ep_poison_landing(ep_engine* engine);

// Compares the first `distinct` rows of where copies in this direction arrive at this rank, of
// EP_PUT the landing, with what had to be copied there.
ep_status ep_check_landing(ep_engine* engine, ep_direction direction, uint32_t distinct,
                           ep_check_result* result);

// Ranks 0 and 1 flag each other in turn, `count` times there and back; nobody else calls it. On
// GPUs a kernel does, by the GPU's own clock.
ep_status ep_round_trips(ep_engine* engine, uint64_t count, uint64_t* duration_ns);

// Ends every wait of this engine, now and later, with EP_ABORTED. May be called from any thread
// while another call runs.
void ep_abort(ep_engine* engine);

// What the last failed call of this engine says; "" if none failed. Valid until the next call.
const char* ep_last_error(const ep_engine* engine);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // CSRC_ABI_EP_H_
