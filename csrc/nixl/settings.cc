#include "csrc/nixl/settings.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace ep::nixl {
namespace {

// Whether we set it, and nobody has changed it since.
bool IsOurs(const std::vector<Setting>& held, std::string_view name, std::string_view value) {
  return std::ranges::any_of(held, [&](const Setting& setting) {
    return setting.ours && setting.name == name && setting.value == value;
  });
}

// Transports, devices and modules that UCX may use, and whether it may register GPUs' memory with
// NICs. Without its protocols of today, UCX_PROTO_ENABLE, it writes nothing (1.23).
constexpr std::string_view kDeciding[] = {"UCX_IB_GPU_DIRECT_RDMA", "UCX_MODULES",
                                          "UCX_NET_DEVICES", "UCX_PROTO_ENABLE", "UCX_TLS"};

}  // namespace

bool DecidesWays(const Setting& setting) {
  return std::ranges::find(kDeciding, setting.name) != std::end(kDeciding) &&
         (!setting.ours || setting.name == "UCX_TLS");
}

std::vector<Setting> Apply(const std::vector<Setting>& wanted, const std::vector<Setting>& held) {
  for (const Setting& setting : held) {
    const char* value = std::getenv(setting.name.c_str());
    if (value != nullptr && IsOurs(held, setting.name, value)) unsetenv(setting.name.c_str());
  }
  std::vector<Setting> now;
  for (const Setting& setting : wanted) {
    const char* already = std::getenv(setting.name.c_str());
    if (already == nullptr) setenv(setting.name.c_str(), setting.value.c_str(), 0);
    now.push_back({setting.name, already ? already : setting.value, already == nullptr});
  }
  return now;
}

std::vector<Setting> CurrentSettings(const std::vector<Setting>& held) {
  std::vector<Setting> settings;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (!(text.starts_with("UCX_") || text.starts_with("NIXL_")) || equals == text.npos) continue;
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = text.substr(equals + 1);
    settings.push_back({std::string(name), std::string(value), IsOurs(held, name, value)});
  }
  std::ranges::sort(settings, {}, &Setting::name);
  return settings;
}

}  // namespace ep::nixl
