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

// Sets each wanted variable unless the user has, takes back what of `held`, our settings so far,
// is wanted no more, and returns the wanted ones with the values that hold. For no other thread
// may read the environment meanwhile.
std::vector<Setting> Apply(const std::vector<Setting>& wanted, const std::vector<Setting>& held);

// Whether it may be why UCX finds no way to a peer, or none that writes: UCX then names no
// variable. Of ours only UCX_TLS.
bool DecidesWays(const Setting& setting);

// The variables of NIXL and UCX that are set now, sorted by name; `ours` is as in `held`.
std::vector<Setting> CurrentSettings(const std::vector<Setting>& held);

}  // namespace ep::nixl

#endif  // CSRC_NIXL_SETTINGS_H_
