// What an ErrorRecord says to a person.
#ifndef CSRC_RANK_ERROR_TEXT_H_
#define CSRC_RANK_ERROR_TEXT_H_

#include "csrc/base/status.h"
#include "csrc/protocol/error.h"
#include "csrc/protocol/rank.h"

namespace ep {

// E.g. "rank 3: dispatch epoch 17: nothing from rank 5 for 10.0 s; …".
Status ErrorText(const ErrorRecord& error, const RankContext& context);

}  // namespace ep

#endif  // CSRC_RANK_ERROR_TEXT_H_
