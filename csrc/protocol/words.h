/* The vocabulary of a run and its limits: one number for each word, whoever speaks it. Plain C, for
 * kernels, the core, its C interface and, by that, Go.
 *
 * Values are those of the enums in proto/epperf/v1, and named as there behind EP_: a Go test
 * compares them both ways. go/internal/plan has the limits from here. */
#ifndef CSRC_PROTOCOL_WORDS_H_
#define CSRC_PROTOCOL_WORDS_H_

/* Limits of a shape. Where GPUs can do with less, it is said apart: a thread block plans for all
 * ranks and experts in its fast memory. */
#define EP_MAX_RANKS 256
#define EP_MAX_RANKS_GPU 64
/* Token and expert numbers travel as 16-bit words. */
#define EP_MAX_TOKENS 65535
#define EP_MAX_EXPERTS 65535
#define EP_MAX_EXPERTS_GPU 2048
/* Of operations whose rows travel in packets; and different ranks that one token's experts can live
 * on. */
#define EP_MAX_TOKENS_PACKETS 512
#define EP_MAX_RANKS_PER_TOKEN_PACKETS 8
#define EP_MAX_TOPK 32
/* Four times the widest of published models; a BF16 row of it is 128 KiB. */
#define EP_MAX_HIDDEN 65536
/* 16 bytes of BF16, what a GPU moves at a time. */
#define EP_HIDDEN_MULTIPLE 8

/* What a block of a meter does at a time: bytes that it reads or writes, and operations of a
 * product, two for each multiplication that is added. */
#define EP_METER_STREAM_BYTES 1048576
#define EP_METER_GEMM_FLOP 33554432

/* What ranks compute on. */
typedef enum ep_device {
  EP_DEVICE_CPU = 1,
  EP_DEVICE_CUDA = 2,
} ep_device;

/* How a rank reaches its peers. */
typedef enum ep_nvlink_backend {
  EP_NVLINK_BACKEND_IPC = 1,  /* maps their memory; all ranks are on one host */
  EP_NVLINK_BACKEND_NIXL = 2, /* maps their memory within a host; NIXL brings messages to others */
  EP_NVLINK_BACKEND_NONE = 3, /* maps nothing: NIXL brings messages to all; of CPUs, over TCP */
  EP_NVLINK_BACKEND_NIXL_PROXY = 5, /* for tests: as NONE, over whatever UCX takes by itself */
} ep_nvlink_backend;

/* Out of which memory of a GPU's rank the network takes messages, and into which it brings them. */
typedef enum ep_nic_memory {
  EP_NIC_MEMORY_AUTO = 1, /* the GPU's where NICs reach it, else its host's */
  EP_NIC_MEMORY_GPU = 2,  /* the GPU's, whatever the network makes of it */
  EP_NIC_MEMORY_HOST = 3, /* its host's, which the GPU's kernels write and read */
} ep_nic_memory;

/* Whether a GPU is told to show its kernels what NICs have written to its memory. */
typedef enum ep_gpu_flush {
  EP_GPU_FLUSH_AUTO = 1,   /* where CUDA says that it must be */
  EP_GPU_FLUSH_ALWAYS = 2, /* where messages arrive in its memory */
  EP_GPU_FLUSH_NEVER = 3,
} ep_gpu_flush;

/* How rows get from one rank to another. */
typedef enum ep_path {
  EP_PATH_OWN = 1,     /* it is the same rank */
  EP_PATH_MAPPED = 2,  /* loads and stores on mapped memory */
  EP_PATH_NETWORK = 3, /* the network that the rank describes, between hosts' memory */
  /* The same of ranks on GPUs: from and to their memory, or memory of hosts, which kernels use. */
  EP_PATH_GPUDIRECT = 5,
  EP_PATH_STAGED = 6,
} ep_path;

/* What a dispatched row holds. Combined rows are always BF16. */
typedef enum ep_dtype {
  EP_DTYPE_FP8 = 1,
  EP_DTYPE_BF16 = 2,
} ep_dtype;

/* Where the rows that a rank receives lie, for the experts' kernels that come next. Either a row
 * for each selection, block by block of an expert, or each row once, block by block of a source. */
typedef enum ep_layout {
  EP_LAYOUT_EXPERT = 1, /* an expert's rows begin at a multiple of a fixed stride */
  EP_LAYOUT_RANK = 2,   /* a source's rows begin at a multiple of `tokens`, whatever it sends */
  EP_LAYOUT_FLAT = 3,   /* the sources' rows one behind the other */
  EP_LAYOUT_CONTIG = 4, /* experts' rows one behind the other, from multiples of 128 on */
} ep_layout;

/* Where a token's selections are summed. */
typedef enum ep_combine_sum {
  EP_COMBINE_SUM_RANK = 1, /* on each rank that holds some of its experts, and these sums at home */
  EP_COMBINE_SUM_EXPERT = 2, /* at home alone: every selection's row comes back */
} ep_combine_sum;

/* Where a row becomes FP8. */
typedef enum ep_quantize {
  EP_QUANTIZE_INSIDE = 1,  /* in the dispatch, which reads BF16 */
  EP_QUANTIZE_OUTSIDE = 2, /* before it: the dispatch reads codes and scales; of FP8 only */
} ep_quantize;

/* Which kernels operations are, of those that csrc/device/gpu_memory.h lists. */
typedef enum ep_kernel {
  EP_KERNEL_AUTO = 1,    /* packets for few tokens, else short up to as many chunks as blocks, else
                            long */
  EP_KERNEL_LONG = 2,    /* few crews that hold much, where rows outnumber crews */
  EP_KERNEL_SHORT = 3,   /* many crews that hold a unit, and short code */
  EP_KERNEL_PACKETS = 4, /* the same, and rows travel in packets that carry their epoch */
} ep_kernel;

/* What one iteration is. */
typedef enum ep_mode {
  EP_MODE_DISPATCH = 1,
  EP_MODE_COMBINE = 2, /* on the handle of the last dispatch */
  EP_MODE_E2E = 3,     /* a dispatch, then a combine on its handle */
} ep_mode;

/* Ways to time; ep_run in csrc/abi/ep.h says what each does. */
typedef enum ep_pass_kind {
  EP_PASS_KIND_OPERATIONS = 1,
  EP_PASS_KIND_FRESH = 2,
  EP_PASS_KIND_CHAINED = 3,
  EP_PASS_KIND_GRAPH = 4,
  EP_PASS_KIND_KERNELS = 5,
  EP_PASS_KIND_COPY = 6,
  EP_PASS_KIND_FLAGS = 7,
  EP_PASS_KIND_ROUND_TRIPS = 8,
  EP_PASS_KIND_METER = 9,
  EP_PASS_KIND_BESIDE = 10,
  /* Steps of the control plane, which the core does not time. */
  EP_PASS_KIND_INIT = 11,
  EP_PASS_KIND_CONNECT = 12,
  EP_PASS_KIND_DISCONNECT = 13,
  EP_PASS_KIND_RECONNECT = 14,
  EP_PASS_KIND_DESTROY = 15,
  EP_PASS_KIND_CYCLE = 16,
} ep_pass_kind;

/* From where to where a rank copies. */
typedef enum ep_pass_direction {
  EP_PASS_DIRECTION_PUT = 1,   /* from its own memory to the next rank's landing */
  EP_PASS_DIRECTION_GET = 2,   /* from there back to its own memory, elsewhere; GPUs only */
  EP_PASS_DIRECTION_LOCAL = 3, /* from its own memory to where GET leads, too; GPUs only */
} ep_pass_direction;

/* What runs on the multiprocessors that operations leave. */
typedef enum ep_pass_meter {
  EP_PASS_METER_GEMM = 1,   /* multiplies on tensor cores, out of fast memory */
  EP_PASS_METER_STREAM = 2, /* reads and writes memory */
} ep_pass_meter;

/* What was wrong first. */
typedef enum ep_wrong_row_kind {
  EP_WRONG_ROW_KIND_UNSPECIFIED = 0, /* nothing */
  EP_WRONG_ROW_KIND_DISPATCH_ROW = 1,
  EP_WRONG_ROW_KIND_DISPATCH_SCALE = 2,
  EP_WRONG_ROW_KIND_DISPATCH_SOURCE = 3,
  EP_WRONG_ROW_KIND_DISPATCH_COUNT = 4,
  EP_WRONG_ROW_KIND_GUARD = 5,
  EP_WRONG_ROW_KIND_COMBINE_ROW = 6,
  EP_WRONG_ROW_KIND_COPIED_ROW = 7,
  EP_WRONG_ROW_KIND_DISPATCH_BEGIN = 8,
  EP_WRONG_ROW_KIND_PADDING = 9,
  EP_WRONG_ROW_KIND_DISPATCH_DESCRIPTION = 10,
} ep_wrong_row_kind;

#endif /* CSRC_PROTOCOL_WORDS_H_ */
