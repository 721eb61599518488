/* What ranks are asked for besides their shape: how they do it, and not what comes of it. Plain C,
 * for the C interface and for engines: a field here is all that stands between them. 0 is as it is
 * where nobody asks. */
#ifndef CSRC_RANK_CHOICES_H_
#define CSRC_RANK_CHOICES_H_

#include <stdint.h>

#include "csrc/protocol/words.h"

typedef struct ep_choices {
  uint32_t sms;     /* CUDA: multiprocessors that operations may use; 0: all */
  ep_kernel kernel; /* CUDA: which kernels */
} ep_choices;

#endif /* CSRC_RANK_CHOICES_H_ */
