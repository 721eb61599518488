/* What a person may try when something has failed. Plain C: the core says which, and who talks to
 * people makes the sentence, with the names of flags (go/internal/native/hints.go). */
#ifndef CSRC_BASE_HINTS_H_
#define CSRC_BASE_HINTS_H_

typedef enum ep_hint {
  EP_HINT_NONE = 0,
  EP_HINT_WAIT_LONGER,
  EP_HINT_USE_BF16,
  EP_HINT_USE_CPUS,
  EP_HINT_USE_GPUS,
  EP_HINT_FEWER_EXPERTS, /* or CPUs, which have room for more */
  EP_HINT_FEWER_SMS,
  EP_HINT_INSTALL_DRIVER, /* there is none of GPUs, or an old one; or use CPUs */
  EP_HINT_SHOW_GPUS,      /* this process sees none; or use CPUs */
  EP_HINT_USE_IPC,
  EP_HINT_USE_IPC_OR_NONE, /* none posts messages */
  EP_HINT_USE_NIXL,        /* it may reach GPUs that CUDA alone does not; or fewer ranks */
  EP_HINT_INSTALL_NIXL,
  EP_HINT_OTHER_NIXL, /* UCX is too old or too new */
  EP_HINT_WHOLE_NIXL, /* it cannot use GPUs: parts of it or of the driver may be missing */
  EP_HINT_SHARE_PIDS, /* processes of two PID namespaces do not know each other by number */
  EP_HINTS,           /* how many there are */
} ep_hint;

#endif /* CSRC_BASE_HINTS_H_ */
