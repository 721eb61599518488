// NIXL's C interface, as far as we call it. These are our own declarations of what
// libnixl_capi.so 1.5.1 exports: the library is opened at run time, so that a program starts
// where there is none, and NIXL's wheel has no headers.
//
// A library that lacks one of these functions is refused: the younger ones tell its version.
#ifndef CSRC_NIXL_CAPI_H_
#define CSRC_NIXL_CAPI_H_

#include <cstddef>
#include <cstdint>

namespace ep::nixl::capi {

// What every call returns.
enum Code : int {
  kSuccess = 0,
  kInProgress = 1,
  kInvalidParam = -1,
  kBackend = -2,
  kInvalidState = -3,
  kException = -4,
  kNoTelemetry = -5,
  kNotFound = -6,
};

enum MemoryType : int { kDram = 0, kVram = 1 };
enum Operation : int { kRead = 0, kWrite = 1 };
enum ThreadSync : int { kSyncNone = 0, kSyncStrict = 1, kSyncReadWrite = 2 };

struct AgentConfig {
  bool progress_thread;
  bool listen_thread;
  int listen_port;
  ThreadSync thread_sync;
  unsigned workers;  // not read: a parameter of the backend says it
  uint64_t progress_thread_delay_us;
  uint64_t listen_thread_delay_us;
  bool capture_telemetry;
};

// Objects of the library.
struct Agent;
struct Backend;
struct MemoryList;
struct MemoryView;
struct NotificationMap;
struct OptionalArguments;
struct Parameters;
struct RegistrationList;
struct RemoteList;
struct TransferHandle;  // a prepared TransferList
struct TransferList;
struct TransferRequest;

// X(name without its prefix, arguments). Where a list or a name is text, it ends in a zero.
#define EP_NIXL_CAPI(X)                                                                     \
  X(create_configured_agent, (const char* name, const AgentConfig*, Agent**))               \
  X(destroy_agent, (Agent*))                                                                \
  /* The defaults of a plugin; both are the caller's. */                                    \
  X(get_plugin_params, (Agent*, const char* plugin, MemoryList**, Parameters**))            \
  X(destroy_mem_list, (MemoryList*))                                                        \
  X(destroy_params, (Parameters*))                                                          \
  X(params_add, (Parameters*, const char* key, const char* value))                          \
  X(create_backend, (Agent*, const char* plugin, Parameters*, Backend**))                   \
  X(destroy_backend, (Backend*)) /* the handle, not what it stands for */                   \
  X(create_opt_args, (OptionalArguments**))                                                 \
  X(destroy_opt_args, (OptionalArguments*))                                                 \
  X(opt_args_add_backend, (OptionalArguments*, Backend*))                                   \
  X(opt_args_set_notif_msg, (OptionalArguments*, const void*, size_t))                      \
  X(opt_args_set_has_notif, (OptionalArguments*, bool))                                     \
  X(create_reg_dlist, (MemoryType, RegistrationList**))                                     \
  X(destroy_reg_dlist, (RegistrationList*))                                                 \
  X(reg_dlist_add_desc, (RegistrationList*, uintptr_t, size_t bytes, uint64_t device,       \
                         const void* metadata, size_t metadata_bytes))                      \
  X(register_mem, (Agent*, RegistrationList*, OptionalArguments*))                          \
  X(deregister_mem, (Agent*, RegistrationList*, OptionalArguments*))                        \
  /* The data and the name are the caller's, from malloc. */                                \
  X(get_local_md, (Agent*, void** data, size_t* bytes))                                     \
  X(load_remote_md, (Agent*, const void* data, size_t bytes, char** agent))                 \
  X(invalidate_remote_md, (Agent*, const char* agent))                                      \
  X(agent_make_connection, (Agent*, const char* agent, OptionalArguments*))                 \
  X(create_xfer_dlist, (MemoryType, TransferList**))                                        \
  X(destroy_xfer_dlist, (TransferList*))                                                    \
  X(xfer_dlist_add_desc, (TransferList*, uintptr_t, size_t bytes, uint64_t device))         \
  /* An empty name means this agent. */                                                     \
  X(prep_xfer_dlist,                                                                        \
    (Agent*, const char* agent, TransferList*, TransferHandle**, OptionalArguments*))       \
  X(release_xfer_dlist_handle, (Agent*, TransferHandle*))                                   \
  X(make_xfer_req, (Agent*, Operation, TransferHandle * local, const int* local_indices,    \
                    size_t local_count, TransferHandle* remote, const int* remote_indices,  \
                    size_t remote_count, TransferRequest**, OptionalArguments*))            \
  X(create_xfer_req, (Agent*, Operation, TransferList * local, TransferList * remote,       \
                      const char* agent, TransferRequest**, OptionalArguments*))            \
  X(post_xfer_req, (Agent*, TransferRequest*, OptionalArguments*))                          \
  X(get_xfer_status, (Agent*, TransferRequest*))                                            \
  X(release_xfer_req, (Agent*, TransferRequest*)) /* what it stands for; then the handle */ \
  X(destroy_xfer_req, (TransferRequest*))                                                   \
  X(create_notif_map, (NotificationMap**))                                                  \
  X(destroy_notif_map, (NotificationMap*))                                                  \
  X(get_notifs, (Agent*, NotificationMap*, OptionalArguments*))                             \
  X(notif_map_size, (NotificationMap*, size_t*))                                            \
  X(notif_map_get_agent_at, (NotificationMap*, size_t, const char** agent))                 \
  X(notif_map_get_notifs_size, (NotificationMap*, const char* agent, size_t*))              \
  X(notif_map_get_notif,                                                                    \
    (NotificationMap*, const char* agent, size_t, const void** data, size_t* bytes))        \
  X(notif_map_clear, (NotificationMap*))                                                    \
  /* Memory views: what a GPU's kernels address peers by. */                                \
  X(create_remote_dlist, (MemoryType, RemoteList**))                                        \
  X(destroy_remote_dlist, (RemoteList*))                                                    \
  X(remote_dlist_add_desc,                                                                  \
    (RemoteList*, uintptr_t, size_t bytes, uint64_t device, const char* agent))             \
  X(prep_mem_view_remote, (Agent*, RemoteList*, MemoryView**, OptionalArguments*))          \
  X(release_mem_view, (Agent*, MemoryView*))

// The library's functions, nixl_capi_<name> each.
struct Functions {
#define EP_NIXL_MEMBER(name, arguments) Code(*name) arguments;
  EP_NIXL_CAPI(EP_NIXL_MEMBER)
#undef EP_NIXL_MEMBER
};

}  // namespace ep::nixl::capi

#endif  // CSRC_NIXL_CAPI_H_
