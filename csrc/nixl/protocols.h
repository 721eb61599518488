// By which means UCX writes to peers, as the tables say that it logs with UCX_PROTO_INFO=y.
#ifndef CSRC_NIXL_PROTOCOLS_H_
#define CSRC_NIXL_PROTOCOLS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ep::nixl {

// A row of such a table: writes to another process of `first` to `last` bytes.
struct PutProtocol {
  std::string from;  // kinds of memory, "host", "cuda"
  std::string to;
  uint64_t first;
  uint64_t last;      // UINT64_MAX: without end
  std::string means;  // "zero-copy", "software emulation"
  std::string lanes;  // "rc_mlx5/mlx5_0:1", "52% on tcp/lo and 48% on tcp/eth0"

  bool operator==(const PutProtocol&) const = default;
};

// All in a log, in order; none where UCX was not told to log them.
std::vector<PutProtocol> UcxPuts(std::string_view log);

// Why writes of that many bytes and more, from such memory to such, are not done by NICs alone, as
// words behind "since"; empty if they are, and where nothing is known of them.
std::string WhyNotByNics(std::span<const PutProtocol> puts, std::string_view kind, uint64_t least);

}  // namespace ep::nixl

#endif  // CSRC_NIXL_PROTOCOLS_H_
