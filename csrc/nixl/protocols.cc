#include "csrc/nixl/protocols.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>

namespace ep::nixl {
namespace {

constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max();

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// "4G", "2049", "inf".
std::optional<uint64_t> ReadBytes(std::string_view text) {
  if (text == "inf") return kEndless;
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  const std::string_view unit(end, text.data() + text.size());
  if (error != std::errc() || unit.size() > 1) return std::nullopt;
  if (unit.empty()) return bytes;
  const size_t power = std::string_view("KMGT").find(unit);
  if (power == std::string_view::npos) return std::nullopt;
  return bytes << 10 * (power + 1);
}

// A kind of memory out of "cuda/GPU4", "host memory", "cuda".
std::string Kind(std::string_view text) {
  return std::string(text.substr(0, text.find_first_of(" /|")));
}

// What stands behind a title's `word`.
std::string KindBehind(std::string_view title, std::string_view word) {
  const size_t at = title.rfind(word);
  return at == title.npos ? "" : Kind(title.substr(at + word.size()));
}

// Transports of InfiniBand, RoCE and EFA.
bool IsNic(std::string_view transport) {
  return std::ranges::any_of(std::array{"rc", "dc", "ud", "srd"}, [&](std::string_view nic) {
    return transport == nic || (transport.starts_with(nic) && transport[nic.size()] == '_');
  });
}

bool AreNics(std::string_view lanes) {
  bool any = false;
  while (!lanes.empty()) {
    const size_t space = std::min(lanes.find(' '), lanes.size());
    const std::string_view word = lanes.substr(0, space);
    lanes.remove_prefix(std::min(space + 1, lanes.size()));
    const size_t slash = word.find('/');
    if (slash == word.npos) continue;
    if (!IsNic(word.substr(0, slash))) return false;
    any = true;
  }
  return any;
}

}  // namespace

std::vector<PutProtocol> UcxPuts(std::string_view log) {
  std::vector<PutProtocol> puts;
  bool to_itself = false;
  bool is_put = false;
  std::string from;
  std::string to;
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    const size_t bar = line.find("| ");
    if (bar == line.npos) continue;
    line.remove_prefix(bar + 2);
    // Whose table it is stands in a line of its own, or before the title in the same.
    if (line.find(" cfg#") != line.npos) {
      to_itself = line.find(" self cfg#") != line.npos;
      is_put = false;
    }
    if (const size_t title = line.find("remote memory write by ucp_put"); title != line.npos) {
      is_put = true;
      from = KindBehind(line.substr(title), " from ");
      to = KindBehind(line.substr(title), " to ");
      continue;
    }
    const size_t second = line.find('|');
    if (!is_put || to_itself || second == line.npos) continue;
    const size_t third = line.find('|', second + 1);
    if (third == line.npos) continue;
    const std::string_view range = Trim(line.substr(0, second));
    const size_t dots = range.find("..");
    const std::optional<uint64_t> first = ReadBytes(range.substr(0, dots));
    const std::optional<uint64_t> last =
        dots == range.npos ? first : ReadBytes(range.substr(dots + 2));
    if (!first || !last) continue;
    puts.push_back({from, to, *first, *last,
                    std::string(Trim(line.substr(second + 1, third - second - 1))),
                    std::string(Trim(line.substr(third + 1, line.rfind('|') - third - 1)))});
  }
  return puts;
}

std::string WhyNotByNics(std::span<const PutProtocol> puts, std::string_view kind, uint64_t least) {
  for (const PutProtocol& put : puts) {
    if (put.from != kind || put.to != kind || put.last < least) continue;
    if (put.means == "zero-copy" && AreNics(put.lanes)) continue;
    return "UCX would write from it by " + put.means + ", " + put.lanes;
  }
  return "";
}

}  // namespace ep::nixl
