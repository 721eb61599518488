// Environment variables by which NIXL and UCX are told how to work. What the user has set stays.
#ifndef CSRC_NIXL_SETTINGS_H_
#define CSRC_NIXL_SETTINGS_H_

#include <string>
#include <vector>

namespace ep::nixl {

struct Setting {
  std::string name;
  std::string value;
  // Set by us, as nobody else had.
  bool ours = false;
};

// Sets each variable that is not set, and returns all of them with the values that hold. Neither
// NIXL nor UCX looks again once it has read a variable, so this comes before they are loaded, and
// before there are threads that read the environment.
std::vector<Setting> SetWhereUnset(const std::vector<Setting>& wanted);

// The variables of NIXL and UCX that are set now, sorted by name; `ours` marks those in `by_us`.
std::vector<Setting> Settings(const std::vector<Setting>& by_us);

}  // namespace ep::nixl

#endif  // CSRC_NIXL_SETTINGS_H_
