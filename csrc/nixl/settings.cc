#include "csrc/nixl/settings.h"

#include <cstdlib>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace ep::nixl {

std::vector<Setting> SetWhereUnset(const std::vector<Setting>& wanted) {
  std::vector<Setting> held;
  for (const Setting& setting : wanted) {
    const char* already = std::getenv(setting.name.c_str());
    if (already == nullptr) setenv(setting.name.c_str(), setting.value.c_str(), 0);
    held.push_back({setting.name, already ? already : setting.value, already == nullptr});
  }
  return held;
}

std::vector<Setting> Settings(const std::vector<Setting>& by_us) {
  std::vector<Setting> settings;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (!(text.starts_with("UCX_") || text.starts_with("NIXL_")) || equals == text.npos) continue;
    const std::string name(text.substr(0, equals));
    const bool ours = std::ranges::any_of(
        by_us, [&](const Setting& setting) { return setting.ours && setting.name == name; });
    settings.push_back({name, std::string(text.substr(equals + 1)), ours});
  }
  std::ranges::sort(settings, {}, &Setting::name);
  return settings;
}

}  // namespace ep::nixl
