#include "csrc/rank/error_text.h"

#include <cstdio>
#include <string>

#include "csrc/protocol/flag.h"

namespace ep {
namespace {

std::string Word(uint64_t flag) {
  if (flag == 0) return "it has flagged nothing in this bank yet";
  return "its last flag is epoch " + std::to_string(FlagEpoch(flag)) + " with " +
         std::to_string(FlagRows(flag)) + " rows";
}

std::string Seconds(uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", static_cast<double>(ns) * 1e-9);
  return text;
}

}  // namespace

Status ErrorText(const ErrorRecord& error, const RankContext& context) {
  const std::string peer = "rank " + std::to_string(error.peer);
  const std::string where = (error.op == Op::kDispatch ? "dispatch epoch " : "combine epoch ") +
                            std::to_string(error.epoch) + ": ";
  switch (error.kind) {
    case ErrorKind::kNone: return {};
    case ErrorKind::kTimeout:
      return {Code::kTimeout,
              where + "nothing from " + peer + " for " + Seconds(error.waited_ns) + "; " +
                  Word(error.seen) + ". Is it alive?",
              EP_HINT_WAIT_LONGER};
    case ErrorKind::kAborted:
      return {Code::kAborted,
              where + "told to stop while " +
                  (error.peer == context.rank ? "its rows were under way" : "waiting for " + peer)};
    case ErrorKind::kViolation:
      return {Code::kProtocol, where + peer + " wrote what it must not: word " +
                                   std::to_string(error.seen) + " (" + Word(error.seen) + ")"};
    case ErrorKind::kBadExpert:
      return {Code::kInvalid, where + "token " + std::to_string(error.seen) +
                                  " names an expert twice, or one of no rank (there are " +
                                  std::to_string(context.shape.Experts()) + ")"};
    case ErrorKind::kInfiniteInput:
      return {Code::kInvalid,
              where + "token " + std::to_string(error.seen) +
                  " holds an infinity, which has no FP8 scale",
              EP_HINT_USE_BF16};
    case ErrorKind::kNetwork:
      // Whatever operation it was that noticed; who knows the link adds its text.
      return {Code::kSystem, "the network to " + peer + " failed"};
  }
  return {Code::kState, where + "unknown error"};
}

}  // namespace ep
