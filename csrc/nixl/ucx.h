// What the UCX below NIXL tells of itself: NIXL's own interface says nothing of it.
#ifndef CSRC_NIXL_UCX_H_
#define CSRC_NIXL_UCX_H_

#include <string>
#include <string_view>
#include <vector>

#include "csrc/base/fd.h"

namespace ep::nixl {

// Of the UCX that is loaded into this process; empty if none is.
std::string UcxVersion();
// The loadable modules of UCX in this process, "cma" of libuct_cma.so, sorted.
std::vector<std::string> UcxModules();

// How much UCX has logged so far; 0 where its log is not captured.
size_t UcxLogBytes(const Fd& log);
// What UCX has logged so far behind `begin`; empty where its log is not captured.
std::string ReadUcxLog(const Fd& log, size_t begin);
// The configurations of endpoints in a log, each once, in order: "rma(sysv/memory cma/memory)".
std::vector<std::string> UcxTransports(std::string_view log);
// The last error or warning in a log, without time and place; empty if there is none.
std::string LastUcxError(std::string_view log);

}  // namespace ep::nixl

#endif  // CSRC_NIXL_UCX_H_
